"""What a user agent says about the app, the system and the device. Whatever it does not say is empty."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_BOT = "Spider"  # how ua-parser calls the device of every bot
_LONGEST = 1000  # characters; the rest of a longer one says nothing more
_MOZILLA = re.compile(r"Mozilla/([0-9.]+)")
_COMMENT = re.compile(r"\(([^()]*)\)")
_LOCALE = re.compile(r"[a-z]{2,3}[-_][A-Za-z]{2,4}")
_SYSTEM = re.compile(r"Windows|Android|OS X|iPhone OS|CPU OS|Linux|CrOS|Tizen|KAIOS", re.IGNORECASE)
_MOBILE = re.compile(r"Mobi|Android|iPhone|iPad|iPod|Dalvik|CFNetwork")


@dataclass(frozen=True)
class UserAgent:
    """The parts that the launch events keep. `bot` and `mobile` are 1 or 0."""

    mozilla: str = ""  # version of the Mozilla token
    platform: str = ""  # first item of the first comment: Linux, iPhone, Windows
    os: str = ""  # how the comment calls the system: Android 13, CPU iPhone OS 16_0 like Mac OS X
    os_full_name: str = ""  # name and version
    os_name: str = ""
    os_version: str = ""
    localization: str = ""
    model: str = ""
    browser_name: str = ""
    browser_version: str = ""
    bot: int = 0
    mobile: int = 0


def read(text: str) -> UserAgent:
    """The parts of a user agent. Never fails."""
    return _read(text[:_LONGEST]) if text else UserAgent()


@lru_cache(maxsize=2048)
def _read(text: str) -> UserAgent:
    from ua_parser import parse  # two thousand patterns, for one event type: only when the first launch arrives

    found = parse(text)
    system, browser, device = found.os, found.user_agent, found.device
    os_name = system.family if system else ""
    os_version = _version(system.major, system.minor, system.patch) if system else ""
    comment = _COMMENT.search(text)
    items = [item.strip() for item in comment[1].split(";")] if comment else []
    mozilla = _MOZILLA.match(text)
    return UserAgent(
        mozilla=mozilla[1] if mozilla else "",
        platform="Windows" if items and items[0].startswith("Windows") else next(iter(items), ""),
        os=next((item for item in reversed(items) if _SYSTEM.search(item)), ""),
        os_full_name=f"{os_name} {os_version}".strip(),
        os_name=os_name,
        os_version=os_version,
        localization=next((item for item in items if _LOCALE.fullmatch(item)), ""),
        model=(device.model or "") if device and device.family != _BOT else "",
        browser_name=browser.family if browser else "",
        browser_version=_version(browser.major, browser.minor, browser.patch) if browser else "",
        bot=int(device is not None and device.family == _BOT),
        mobile=int(bool(_MOBILE.search(text))),
    )


def _version(*parts: str | None) -> str:
    return ".".join(part for part in parts if part)
