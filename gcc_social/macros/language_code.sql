{% macro language_code(column) -%}
    {#- ISO 639-1 without region: en-US and EN give en. The directory and the taggers write Kannada as ka, which is
        Georgian; it is kn. Empty text gives NULL. -#}
    nullIf(replaceRegexpOne(splitByChar('-', lower(trim(ifNull({{ column }}, ''))))[1], '^ka$', 'kn'), '')
{%- endmacro %}
