{{ config(tags=["deprecated", "genre"], order_by=["month", "category"]) }}

with {{ genre_overview(country=none, whole_audience=true) }}
select *
from final
