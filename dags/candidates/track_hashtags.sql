-- Hashtags that are followed, from a seed. Column: hashtag, without the sign.
select replaceRegexpOne(trim(hashtag), '^#', '') as hashtag from dbt.tracked_hashtags
