{% macro clean_link(link) -%}
    {#- The tracker stores links without scheme, items keep them with it. A host ignores case, a path and a query do not. -#}
    {%- set bare = (
        "replaceRegexpOne(replaceRegexpAll(" ~ link ~ ", '^\\\\s+|/*\\\\s*$', ''), '^(?i:https?://)', '')"
    ) -%}
    concat(lower(extract({{ bare }}, '^[^/?#]*')), replaceRegexpOne({{ bare }}, '^[^/?#]*', ''))
{%- endmacro %}


{% macro sponsor_links(column) -%}
    {#- The links of an item's JSON array, cleaned, each once; text that is no array holds none. -#}
    arrayDistinct(
        arrayFilter(
            link -> link != '',
            arrayMap(link -> {{ clean_link("link") }}, JSONExtract(ifNull({{ column }}, ''), 'Array(String)'))
        )
    )
{%- endmacro %}
