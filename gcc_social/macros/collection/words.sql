{% macro hashtags_in(text) -%}
    {#- Letters and marks of every script: Hindi vowel signs are marks, and an ASCII pattern cuts the tag before them. -#}
    extractAll(ifNull({{ text }}, ''), '#[\\p{L}\\p{M}\\p{N}_]+')
{%- endmacro %}


{% macro keywords_in(text) -%} extractAll(ifNull({{ text }}, ''), '[\\p{L}\\p{M}\\p{N}]{4,}') {%- endmacro %}
