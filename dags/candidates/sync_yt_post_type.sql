-- YouTube videos of which nobody knows yet whether they are shorts. Columns: post_id, first_seen. Of several
-- versions of a row only the newest counts, and one classified row settles the video: in the reference an old
-- version without a type kept a video in the list after it had been classified.
select ifNull(shortcode, '') as post_id, min(created_at) as first_seen
from dbt.stg_beat_youtube_post final
group by post_id
having countIf(ifNull(post_type, '') != '') = 0
