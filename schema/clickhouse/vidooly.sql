-- What DAG sync_vidooly_es_youtube_channels writes beside the bought dumps.
-- Applied inside the database vidooly by `python -m schema apply`.

-- Daily snapshots of channels; the day stands in _path (.._<yyyymmdd>.json) and all counters are text. Each day is a
-- partition, so that a day's load replaces it in one step.
CREATE TABLE IF NOT EXISTS youtube_channels
(
    _path             String,
    _file             String,
    id                String,
    created           Nullable(String),
    country           Nullable(String),
    custom_url        Nullable(String),
    description       Nullable(String),
    title             Nullable(String),
    published_at      Nullable(String),
    thumbnail         Nullable(String),
    last_updated_at   Nullable(String),
    video_count       Nullable(String),
    view_count        Nullable(String),
    hidden_subscriber Nullable(UInt8),
    subscriber_count  Nullable(String),
    load_date         Date DEFAULT toDate(parseDateTimeBestEffortOrZero(extract(_path, '_(\\d{8})\\.'), 'UTC'))
)
ENGINE = MergeTree
PARTITION BY load_date
ORDER BY (id, _path);
