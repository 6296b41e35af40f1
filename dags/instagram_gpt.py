"""Scrape requests that put questions about large Instagram accounts to a language model.

Each answer is paid for, so an account is asked about once in a long while: a failed request is repeated after a day,
and four failures in three months without a success end it. One query knows what was answered; each DAG takes the
accounts that lack its answer, those with most followers first.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.python import PythonOperator  # noqa: F401 -- pre-imported by the dag-processor
from airflow.sdk import DAG, Param  # noqa: F401
from stir.dag_declaration import DagDeclaration, Documentation, Kind
from stir.scrape_request import FailureRule, ScrapeSource
from stir.scrape_request_task import BULK_POOL, ON_FAILURE, POOL, request_params, send_scrape_requests

QUESTION: dict[str, Any] = {
    "platform": "INSTAGRAM",
    "entity_key": ("data", "handle"),
    "candidates": Path(__file__).with_name("candidates") / "sync_instagram_gpt_data.sql",
    "order": "followers desc",
    "retry_failed_after": timedelta(days=1),
    "failure_rule": FailureRule(failures=4, within=timedelta(days=90)),
}
"""What the questions have in common."""

COMBINED_FLOW = "refresh_instagram_gpt_data_gender_location_lang"
RUN_LIMIT = timedelta(hours=3)
TASK_LIMIT = timedelta(minutes=45)
"""25 000 requests at the 20 a second of Variable `beat_requests_per_second` take 21 minutes; the five DAGs begin at the
same minute and take turns in a pool with one slot."""

INPUTS = """`dbt.mart_instagram_account` (accounts of 100 000 followers or more, and what is told about them),
`_e.profile_log_events` (answers), `_e.scrape_request_log_events` and `stir.accepted_requests` (what was asked lately),
`dbt.stg_beat_scrape_request_log` (what failed too often; throttling does not count)."""


base_gender = ScrapeSource(
    flow="refresh_instagram_gpt_data_base_gender",
    condition="country = 'IN' and not has_gender",
    payload_columns=("name", "bio"),
    limit=25_000,
    cool_down=timedelta(days=30),
    counted_flows=(COMBINED_FLOW,),
    **QUESTION,
)

with DagDeclaration(
    dag_id="sync_instagram_gpt_data_base_gender",
    kind=Kind.SCRAPE_REQUEST,
    schedule="0 */8 * * *",
    run_limit=RUN_LIMIT,
    task_limit=TASK_LIMIT,
    pool=BULK_POOL,
    tags=("instagram", "language-model"),
    params=request_params(base_gender),
    documentation=Documentation(
        purpose="""Ask for the gender of large Indian accounts for which there is no answer. Each account is asked about
        once in 30 days, whether by this question or by the combined one.""",
        inputs=INPUTS,
        outputs="One request of flow `refresh_instagram_gpt_data_base_gender` per account, with handle, name and bio.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(base_gender, pool=BULK_POOL)


base_location = ScrapeSource(
    flow="refresh_instagram_gpt_data_base_location",
    condition="country = 'IN' and not has_city",
    payload_columns=("name", "bio"),
    limit=25_000,
    cool_down=timedelta(days=30),
    counted_flows=(COMBINED_FLOW,),
    **QUESTION,
)

with DagDeclaration(
    dag_id="sync_instagram_gpt_data_base_location",
    kind=Kind.SCRAPE_REQUEST,
    schedule="0 */8 * * *",
    run_limit=RUN_LIMIT,
    task_limit=TASK_LIMIT,
    pool=BULK_POOL,
    tags=("instagram", "language-model"),
    params=request_params(base_location),
    documentation=Documentation(
        purpose="""Ask for the place of large Indian accounts for which there is no answer. Each account is asked about
        once in 30 days, whether by this question or by the combined one.""",
        inputs=INPUTS,
        outputs="""One request of flow `refresh_instagram_gpt_data_base_location` per account, with handle, name and
        bio.""",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(base_location, pool=BULK_POOL)


base_categ_lang_topics = ScrapeSource(
    flow="refresh_instagram_gpt_data_base_categ_lang_topics",
    condition="country = 'IN' and not has_topics",
    payload_columns=("name", "bio"),
    limit=25_000,
    cool_down=timedelta(days=30),
    **QUESTION,
)

with DagDeclaration(
    dag_id="sync_instagram_gpt_data_base_categ_lang_topics",
    kind=Kind.SCRAPE_REQUEST,
    schedule="0 */8 * * *",
    run_limit=RUN_LIMIT,
    task_limit=TASK_LIMIT,
    pool=BULK_POOL,
    tags=("instagram", "language-model"),
    params=request_params(base_categ_lang_topics),
    documentation=Documentation(
        purpose="""Ask for categories, languages and topics of large Indian accounts for which there is no answer. Each
        account is asked about once in 30 days.""",
        inputs=INPUTS,
        outputs="""One request of flow `refresh_instagram_gpt_data_base_categ_lang_topics` per account, with handle,
        name and bio.""",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(base_categ_lang_topics, pool=BULK_POOL)


audience_age_gender = ScrapeSource(
    flow="refresh_instagram_gpt_data_audience_age_gender",
    condition="country = 'IN' and not has_audience",
    payload_columns=("name", "bio", "category"),
    limit=25_000,
    cool_down=timedelta(days=30),
    **QUESTION,
)

with DagDeclaration(
    dag_id="sync_instagram_gpt_data_audience_age_gender",
    kind=Kind.SCRAPE_REQUEST,
    schedule="0 */8 * * *",
    run_limit=RUN_LIMIT,
    task_limit=TASK_LIMIT,
    pool=BULK_POOL,
    tags=("instagram", "language-model", "audience"),
    params=request_params(audience_age_gender),
    documentation=Documentation(
        purpose="""Ask for the age and gender of the audience of large Indian accounts for which there is no answer.
        Each account is asked about once in 30 days.""",
        inputs=INPUTS,
        outputs="""One request of flow `refresh_instagram_gpt_data_audience_age_gender` per account, with handle, name,
        bio and category (`Missing` without one).""",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(audience_age_gender, pool=BULK_POOL)


audience_cities = ScrapeSource(
    flow="refresh_instagram_gpt_data_audience_cities",
    condition="country = 'IN' and audience_cities <= 4",
    payload_columns=("name", "bio"),
    limit=25_000,
    cool_down=timedelta(days=30),
    **QUESTION,
)

with DagDeclaration(
    dag_id="sync_instagram_gpt_data_audience_cities",
    kind=Kind.SCRAPE_REQUEST,
    schedule="0 */8 * * *",
    run_limit=RUN_LIMIT,
    task_limit=TASK_LIMIT,
    pool=BULK_POOL,
    tags=("instagram", "language-model", "audience"),
    params=request_params(audience_cities),
    documentation=Documentation(
        purpose="""Ask for the cities of the audience of large Indian accounts for which there is no answer, or one that
        names four or fewer: readers take only longer ones. Each account is asked about once in 30 days.""",
        inputs=INPUTS,
        outputs="""One request of flow `refresh_instagram_gpt_data_audience_cities` per account, with handle, name and
        bio.""",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(audience_cities, pool=BULK_POOL)


gender_location_lang = ScrapeSource(
    flow=COMBINED_FLOW,
    condition="not has_city",
    payload_columns=("name", "bio"),
    limit=3500,
    cool_down=timedelta(days=180),
    backlog_limit=3500,
    **QUESTION,
)

with DagDeclaration(
    dag_id="sync_instagram_gpt_data_gender_location_lang",
    kind=Kind.SCRAPE_REQUEST,
    schedule="*/10 * * * *",
    pool=POOL,
    tags=("instagram", "language-model"),
    params=request_params(gender_location_lang),
    documentation=Documentation(
        purpose="""Ask for gender, place and languages of large accounts of any country for which no place is known.
        Each account is asked about once in 180 days; while Beat still works on thousands, a run sends nothing.""",
        inputs=INPUTS,
        outputs=f"One request of flow `{COMBINED_FLOW}` per account, with handle, name and bio.",
        on_failure=ON_FAILURE,
    ),
).dag():
    send_scrape_requests(gender_location_lang)
