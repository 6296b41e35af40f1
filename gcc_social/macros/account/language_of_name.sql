{#-
    Family language_names: the code of a language that is spelt out (Hindi gives hi), whatever its case; NULL for a name that is not known.
    The model imports the seed: language_names as (select * from [ref of language_names]).
-#}
{% macro language_of_name(column) -%}
    nullIf(
        (select mapFromArrays(groupArray(name), groupArray(code)) from language_names)[
            lower(trim(ifNull({{ column }}, '')))
        ],
        ''
    )
{%- endmacro %}
