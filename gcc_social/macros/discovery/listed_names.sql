{#- How a language model says that it does not know. -#}
{% macro unknown_names(more=()) -%}
    {{ return(["", "null", "none", "unknown", "na", "not available", "not specified"] + (more | list)) }}
{%- endmacro %}

{#- Names in an answer, trimmed: a JSON array, or text parted by a character of `separators`. -#}
{% macro listed_names(answer, separators="/") -%}
    arrayMap(
        name -> trim(name),
        if(
            startsWith({{ answer }}, '['),
            JSONExtract({{ answer }}, 'Array(String)'),
            splitByRegexp('[{{ separators }}]', {{ answer }})
        )
    )
{%- endmacro %}

{#- The known names of a list; none when the first, which is the main one, is unknown. -#}
{% macro known_names(names, unknown) -%}
    {%- set unknown_words = "('" ~ unknown | join("', '") ~ "')" -%}
    if(
        lowerUTF8({{ names }} [1]) in {{ unknown_words }},
        [],
        arrayFilter(name -> lowerUTF8(name) not in {{ unknown_words }}, {{ names }})
    )
{%- endmacro %}
