"""The tiers of audiences computed a second time, from the source rows in plain Python, with exact fractions.

Nothing here reads a dbt model. Figures that a model rounds are given as Fraction, so that the comparison can say how
far a rounded value may be from them.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from clickhouse_connect.driver.client import Client

from tests.gcc_social.leaderboard_accounts import EARLIEST, Row, grouped, newest, source_rows, youtube_accounts

BANDS = ("13-17", "18-24", "25-34", "35-44", "45-54", "55-64", "65+")
GENDERS = {"M": "male", "F": "female"}
AGE_GROUPS = [f"{gender}_{band}" for gender in GENDERS for band in BANDS]
SMALLEST_SAMPLE = 20
FEWEST_PREDICTED_CITIES = 5
GRADES = ((90, "Excellent"), (75, "Very Good"), (60, "Good"), (40, "Average"), (0, "Poor"))

SAMPLE_ONLY = (
    "reachable_followers_perc", "audience_authenticity", "breakup_low_followers", "breakup_high_following",
    "breakup_audience_authenticity", "breakup_audience_authenticity_grade", "breakup_high_following_grade",
    "breakup_low_followers_grade", "audience_quality_score", "audience_quality_grade",
)  # fmt: skip
NEVER_KNOWN = ("breakup_followers_growth30d_grade", "breakup_views_30d_grade", "breakup_uploads_30d_grade")

Amounts = dict[str, Fraction]
Key = tuple[str, str]  # platform, id


def private(client: Client) -> dict[Key, Row]:
    rows = {}
    for profile, insights in grouped(
        source_rows(client, "beat_replica.instagram_profile_insights"), "profile_id"
    ).items():
        told = newest(insights)
        by_gender = parsed(told["audience_gender_age"])
        ages = {f"{g}_{b}": amount((by_gender.get(name) or {}).get(b)) for g, name in GENDERS.items() for b in BANDS}
        rows["INSTAGRAM", profile] = audience(
            ages, cities(told["audience_city"]), countries(told["audience_country"]), handle=told["handle"] or None
        )
    for channel, insights in grouped(
        source_rows(client, "beat_replica.youtube_profile_insights"), "channel_id"
    ).items():
        told = newest(insights)
        by_gender = parsed(told["gender_age"])
        ages = {
            f"{g}_{b}": amount((by_gender.get(name) or {}).get("age" + b.replace("+", "-")))
            for g, name in GENDERS.items()
            for b in BANDS
        }
        rows["YOUTUBE", channel] = audience(ages, cities(told["city"]), countries(told["country"]), handle=channel)
    return {key: row | {"tier": "private", "source": "insights"} for key, row in rows.items()}


def follower(client: Client) -> dict[Key, Row]:
    return samples(client) | directory(client)


def samples(client: Client) -> dict[Key, Row]:
    """Instagram profiles by a sample of their followers."""
    accounts = scraped_accounts(client)
    people = {str(row["profile_id"]): row for row in source_rows(client, "ds.instagram_prediction")}
    followers: dict[str, set[str]] = defaultdict(set)
    for row in source_rows(client, "beat_replica.profile_relationship_log"):
        read = "handle" in parsed(row["source_dimensions"]) and row["relationship_type"] == "FOLLOWS"
        if read and row["target_profile_id"] and row["source_profile_id"] in accounts:
            followers[row["target_profile_id"]].add(row["source_profile_id"])
    return {
        ("INSTAGRAM", profile): sample(found, accounts, people)
        | {"platform_handle": (accounts.get(profile) or {}).get("handle") or None}
        for profile, found in followers.items()
        if len(found) >= SMALLEST_SAMPLE
    }


def sample(found: set[str], accounts: dict[str, Row], people: dict[str, Row]) -> Row:
    ages, places, nations, genders = Counter(), Counter(), Counter(), Counter()
    for person in (people[profile] for profile in found if profile in people):
        gender, band = predicted_gender(person), age_band(person["age"])
        genders[gender] += 1
        ages[f"{gender}_{band}" if gender and band else ""] += 1
        places[city(person["top_cities"] or "")] += 1
        nations[(person["country"] or "").strip()] += 1
    known = [accounts[profile] for profile in found]
    following = [account["following"] for account in known if account["following"] is not None]
    counts = [account["followers"] for account in known if account["followers"] is not None]
    ratios = [
        Fraction(account["followers"], account["following"] or 1)
        for account in known
        if None not in (account["followers"], account["following"])
    ]
    fake = share(ratio < Fraction(1, 10) for ratio in ratios)
    low, high = share(count < 10 for count in counts), share(count > 5000 for count in following)
    row = audience(*({label: Fraction(count) for label, count in counter.items() if label}
                     for counter in (ages, places, nations)), largest_first=True)  # fmt: skip
    sexes = genders["M"] + genders["F"]
    row |= {
        "reachable_followers_perc": 100 * share(count < 1500 for count in following),
        "audience_authenticity": 100 * (1 - fake),
        "breakup_audience_authenticity": 100 * (1 - fake),
        "breakup_low_followers": 100 * low,
        "breakup_high_following": 100 * high,
        "breakup_audience_authenticity_grade": grade(100 * (1 - fake)),
        "breakup_low_followers_grade": grade(100 * (1 - low)),
        "breakup_high_following_grade": grade(100 * (1 - high)),
        "audience_quality_score": float(100 - 25 * low - 25 * high - 50 * fake),
        "audience_quality_grade": grade(100 - 25 * low - 25 * high - 50 * fake),
        "male_followers_perc": Fraction(100 * genders["M"], sexes) if sexes else None,
        "female_followers_perc": Fraction(100 * genders["F"], sexes) if sexes else None,
        "notable_followers": [
            profile
            for _, profile in sorted(((accounts[p]["followers"] or 0, p) for p in found), reverse=True)
            if (accounts[profile]["followers"] or 0) > 100_000
        ],
    }
    return row | {"tier": "follower", "source": "follower_sample"}


def directory(client: Client) -> dict[Key, Row]:
    """Indian channels by the purchased directory."""
    channels = youtube_accounts(client)
    rows = {}
    for channel, entries in grouped(
        source_rows(client, "vidooly.social_profiles_new_20230217"), "youtube_userid"
    ).items():
        if channels.get(channel, {}).get("country") != "IN":
            continue
        told = [(demographics(entry), entry) for entry in entries]
        ages, entry = max(told, key=lambda pair: (sum(pair[0].values()) > 0, pair[1]["instagram_userid"]))
        men, women = (amount(entry[f"youtube_demographic_{gender}_all"]) for gender in "mf")
        row = audience(ages, {}, {}, handle=channel)
        if men + women:
            row |= {
                "male_followers_perc": 100 * men / (men + women),
                "female_followers_perc": 100 * women / (men + women),
            }
        if row["male_followers_perc"] is not None:
            rows["YOUTUBE", channel] = row | {"tier": "follower", "source": "directory"}
    return rows


def demographics(entry: Row) -> Amounts:
    return {
        f"{gender}_{band}": amount(
            entry[f"youtube_demographic_{gender.lower()}_{band.replace('-', '_').replace('+', '')}"]
        )
        for gender in GENDERS
        for band in BANDS
    }


def gpt(client: Client) -> dict[Key, Row]:
    owners = {
        row["handle"]: profile
        for profile, row in sorted(
            scraped_accounts(client).items(), key=lambda pair: (pair[1]["updated_at"] or EARLIEST, pair[0])
        )
        if row["handle"]
    }
    answers: dict[str, dict[str, tuple[str, Row]]] = defaultdict(dict)
    events = source_rows(client, "_e.profile_log_events")
    for event in sorted(events, key=lambda event: (event["event_timestamp"], event["event_id"])):
        if event["source"].startswith("openapi_profile_info_"):
            told = parsed(event["dimensions"])
            for name in ("audience_gender_age", "audience_city"):
                if name in told:
                    answers[event["profile_id"]][name] = (event["source"], told[name])
    rows = {}
    for handle, told in answers.items():
        if handle in owners and len(told) == 2:
            prompt, by_age = told["audience_gender_age"]
            ages = {f"{g}_{b}": amount(by_age.get(f"{b} {name}")) for g, name in GENDERS.items() for b in BANDS}
            places = merged((city(name), value) for name, value in told["audience_city"][1].items())
            row = audience(ages, places if len(places) >= FEWEST_PREDICTED_CITIES else {}, {}, handle=handle)
            rows["INSTAGRAM", owners[handle]] = row | {"tier": "gpt", "source": prompt}
    return rows


def best(tiers: Iterable[dict[Key, Row]]) -> dict[Key, Row]:
    """The row of the first tier that knows anything."""
    chosen: dict[Key, Row] = {}
    for tier in tiers:
        for key, row in tier.items():
            shares = row["age_groups"] or row["cities"] or row["countries"]
            figures = (
                row[name] for name in ("male_followers_perc", "reachable_followers_perc", "breakup_low_followers")
            )
            if key not in chosen and (shares or any(figure is not None for figure in figures)):
                chosen[key] = row
    return chosen


# --- rows -------------------------------------------------------------------------------------------------------------


def audience(
    ages: Amounts, places: Amounts, nations: Amounts, *, handle: str | None = None, largest_first: bool = False
) -> Row:
    row: Row = dict.fromkeys((*SAMPLE_ONLY, *NEVER_KNOWN)) | {"platform_handle": handle, "notable_followers": []}
    row["age_groups"], row["age_group_percs"] = shares(ages, by_size(ages) if largest_first else AGE_GROUPS)
    row["cities"], row["city_percs"] = shares(places, by_size(places))
    row["countries"], row["country_percs"] = shares(nations, by_size(nations))
    total = sum(ages.values())
    for gender, column in (("M_", "male_followers_perc"), ("F_", "female_followers_perc")):
        part = sum(value for label, value in ages.items() if label.startswith(gender))
        row[column] = 100 * part / total if total else None
    return row


def by_size(amounts: Amounts) -> list[str]:
    return sorted(amounts, key=lambda label: (amounts[label], label), reverse=True)


def shares(amounts: Amounts, labels: list[str]) -> tuple[list[str], list[Fraction]]:
    total = sum(amounts.values())
    return (labels, [100 * amounts[label] / total for label in labels]) if total else ([], [])


def parsed(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}", parse_float=Fraction)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def amount(value: Any) -> Fraction:
    try:
        return max(Fraction(str(value)), Fraction(0))
    except ValueError:
        return Fraction(0)


def merged(pairs: Iterable[tuple[str, Any]]) -> Amounts:
    sums: Amounts = defaultdict(Fraction)
    for label, value in pairs:
        if label and amount(value):
            sums[label] += amount(value)
    return dict(sums)


def cities(text: str | None) -> Amounts:
    return merged((city(name), value) for name, value in parsed(text).items())


def countries(text: str | None) -> Amounts:
    return merged((name.strip(), value) for name, value in parsed(text).items())


def city(name: str) -> str:
    return name.split(",")[0].strip().lower()


def share(hits: Iterable[bool]) -> Fraction:
    found = list(hits)
    return Fraction(sum(found), len(found))


def grade(score: Fraction) -> str:
    return next(name for least, name in GRADES if round(float(score), 2) >= least)


def predicted_gender(person: Row) -> str:
    if person["gender_from_img_model"] in ("M", "F"):
        return person["gender_from_img_model"]
    male, female = person["gender_male"], person["gender_female"]
    if None not in (male, female) and male > 0.7 and male > female:
        return "M"
    return "F" if female is not None and female > 0.7 else ""


def age_band(age: float | None) -> str:
    if age is None or age < 13:
        return ""
    return next(
        (band for band, end in zip(BANDS, (18, 25, 35, 45, 55, 65), strict=False) if age < end),
        BANDS[-1],
    )


def scraped_accounts(client: Client) -> dict[str, Row]:
    rows = grouped(source_rows(client, "beat_replica.instagram_account"), "profile_id")
    return {profile: newest(versions) for profile, versions in rows.items()}
