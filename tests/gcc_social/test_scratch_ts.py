import json, shutil
from pathlib import Path
import pytest
from tests.gcc_social import conftest as c
pytestmark=[pytest.mark.integration,pytest.mark.timeout(1700)]
L="macros/leaderboard/"; ML="models/marts/leaderboard/"
G=[
 [("self", L+"previous_period.sql","lagInFrame(toNullable({{ column }})) over {{ window }}, null","ifNull(lagInFrame(toNullable({{ column }})) over {{ window }}, {{ column }}), null",""),
  ("avail", L+"previous_period.sql","<= {{ gap_days }}, 0))","<= {{ gap_days }}, 1))",""),
  ("growth baseline 0", ML+"mart_yt_growth.sql","toNullable(weeks.followers) as followers","weeks.followers as followers","mart_yt_growth"),
  ("ts all periods", ML+"mart_time_series.sql","(accounts.changed_from)","(accounts.changed_from - 400)","mart_time_series"),
  ],
 [("floor", L+"account_series.sql","        followers_change,\n        views_change","        if(followers_change < 0, 0, followers_change) as followers_change,\n        views_change","yt"),
  ("core post ties", "models/marts/discovery/mart_profile_core_metrics.sql","published_at desc nulls last, shortcode desc","published_at desc nulls last, shortcode","mart_profile_core_metrics"),
  ("growth window", ML+"mart_yt_growth.sql",'"days": 365, "slack": 31','"days": 365, "slack": 3100',"mart_yt_growth"),
  ("insta following", L+"leaderboard_base_followers.sql","argMax(snapshots.following, (feed, ifNull(seen_on, toDate(0))))","max(snapshots.following)","weekly"),
 ],
]
def test_mut(warehouse_server, tmp_path_factory):
    w=warehouse_server; w.empty()
    M="mart_insta_account_monthly mart_insta_account_weekly mart_yt_account_monthly mart_yt_account_weekly mart_yt_growth mart_time_series mart_time_series_with_gaps mart_profile_core_metrics".split()
    w.dbt("build","--select",*[f"+{m}" for m in M], "--exclude-resource-type","test","unit_test")
    env=dict(w.project._variables)
    for k,g in enumerate(G):
        proj=Path(f"/tmp/ts/proj{k}"); shutil.rmtree(proj,ignore_errors=True); shutil.copytree(c.PROJECT,proj)
        for n,f,o,new,m in g:
            p=proj/f; s=p.read_text()
            if o not in s: print("NOT FOUND",n); continue
            p.write_text(s.replace(o,new,1))
        old=c.PROJECT; c.PROJECT=proj
        try:
            d=c.Dbt(tmp_path_factory.mktemp("m"),{a:b for a,b in env.items() if a.startswith("DBT_CLICK") or "SECRET" in a})
            try: d.run("test","--select",*[f"{m},test_type:unit" for m in M],"--vars",json.dumps({"run_time":"2026-06-15 12:00:00"})); print("GROUP",k,"PASSED ALL")
            except AssertionError as e: print("GROUP",k,[l.split(" fail")[0][:200] for l in str(e).splitlines() if l.startswith("mart_") or "fail" in l or "rror" in l][:30])
        finally: c.PROJECT=old
