-- Keyword collections that still have no report two hours after they were made. Columns: id, job_id, platform, keywords,
-- start_date, end_date (YYYY-MM-DD), created_at. A job without a platform, a keyword or a date cannot run: such
-- collections wait until they are complete. The prefix of job_id tells installations apart; the reference had a literal.
select
    collections.id as id,
    %(keyword_job_prefix)s || collections.id as job_id,
    collections.platform as platform,
    arrayFilter(keyword -> ifNull(keyword, '') != '', collections.keywords) as keywords,
    toString(toDate(collections.start_time, 'UTC')) as start_date,
    toString(toDate(collections.end_time, 'UTC')) as end_date,
    collections.created_at as created_at
from dbt.stg_coffee_keyword_collection as collections
where
    collections.enabled = 1
    and collections.report_path is null
    and collections.created_at <= now('UTC') - interval 2 hour
    and ifNull(collections.platform, '') != ''
    and notEmpty(keywords)
    and collections.start_time is not null
    and collections.end_time is not null
