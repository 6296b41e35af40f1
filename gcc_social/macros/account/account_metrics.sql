{#- The average without outliers; where that says nothing the plain one. An account without posts has 0, an unknown number of posts is no 0. -#}
{% macro typical_average(plain, trimmed, posts) -%}
    if({{ posts }} = 0, 0, coalesce(nullIf({{ trimmed }}, 0), {{ plain }}))
{%- endmacro %}


{#- Followers per followed account, the followers themselves when nobody is followed. max2 keeps NULL, where greatest would ignore it. -#}
{% macro followers_per_followed(followers, following) -%} {{ followers }} / max2({{ following }}, 1) {%- endmacro %}


{#- Words by which an account is found: the known ones of `columns`, lower case, in order, separated by one space; NULL when none is known. -#}
{% macro search_phrase(columns) -%}
    nullIf(
        arrayStringConcat(
            splitByWhitespace(
                lowerUTF8(
                    concat(
                        {% for column in columns %}ifNull({{ column }}, ''){{ ", ' ', " if not loop.last }}{% endfor %}
                    )
                )
            ),
            ' '
        ),
        ''
    )
{%- endmacro %}


{#- The same as an array of words; empty when none is known. -#}
{% macro search_words(columns) -%} splitByWhitespace(ifNull({{ search_phrase(columns) }}, '')) {%- endmacro %}


{#- A known value as a list of one, an unknown one as an empty list. -#}
{% macro known_list(column) -%}
    arrayMap(known -> assumeNotNull(known), arrayFilter(known -> known is not null, [{{ column }}]))
{%- endmacro %}
