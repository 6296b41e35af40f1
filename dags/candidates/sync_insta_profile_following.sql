-- Members of the creator programme whose graph row names nobody although they follow somebody. Columns: profile_id,
-- following.
select profile_id, following from ds.trinity_graph where empty(profiles_i_follow) and following > 0
