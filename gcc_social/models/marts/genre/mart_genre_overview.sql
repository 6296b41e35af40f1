{{ config(tags=["daily", "genre"], order_by=["month", "category"]) }}

with {{ genre_overview(country="IN", whole_audience=false) }}
select *
from final
