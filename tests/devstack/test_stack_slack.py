from __future__ import annotations

import stat

import pytest
from slack_sdk.webhook import WebhookClient

from devstack.services import SlackService

pytestmark = pytest.mark.integration


def client(slack_service: SlackService, token: str | None = None) -> WebhookClient:
    return WebhookClient(f"{slack_service.webhook_base}/{token or slack_service.secrets.slack_token}")


def test_slacks_own_client_delivers_text_and_blocks(slack_service: SlackService) -> None:
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*dbt_core* failed \u2018again\u2019 \U0001f525"}}]
    reply = client(slack_service).send(text="dbt_core failed", blocks=blocks)
    assert (reply.status_code, reply.body) == (200, "ok")
    newest = slack_service.messages()[-1]
    assert newest["payload"]["text"] == "dbt_core failed"
    assert newest["payload"]["blocks"] == blocks
    assert newest["received_at"].endswith("+00:00")


def test_errors_are_those_of_slack(slack_service: SlackService) -> None:
    before = len(slack_service.messages())
    wrong = client(slack_service, "T0/B0/wrong").send(text="hello")
    assert (wrong.status_code, wrong.body) == (403, "invalid_token")
    empty = client(slack_service).send()
    assert (empty.status_code, empty.body) == (400, "no_text")
    assert len(slack_service.messages()) == before


def test_messages_outlive_the_server_and_the_token_is_in_no_log(slack_service: SlackService) -> None:
    client(slack_service).send(text="kept")
    slack_service.main.process().kill()
    slack_service.main.process()
    slack_service.start()
    slack_service.wait_ready()
    assert slack_service.messages()[-1]["payload"]["text"] == "kept"
    assert slack_service.secrets.slack_token not in slack_service.log.read_text()
    assert stat.S_IMODE((slack_service.data / "messages.jsonl").stat().st_mode) == 0o600
