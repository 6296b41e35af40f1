{#- Lists of parts, Array(Tuple(amount Float64, label String)): how they are read, and what is said of them. -#}
{% macro genders_and_ages() %}
    {%- set labels = [] -%}
    {%- for gender in ["M", "F"] -%}
        {%- for band in ["13-17", "18-24", "25-34", "35-44", "45-54", "55-64", "65+"] -%}
            {%- do labels.append({"label": gender ~ "_" ~ band, "gender": gender, "band": band}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(labels) }}
{% endmacro %}

{#- The 14 parts of an audience by gender and age, in their fixed order; `texts` are 14 expressions of amounts as text. -#}
{% macro gender_age_parts(texts) -%}
    arrayMap(
        (text, label) -> ({{ amount("text") }}, label),
        [{%- for text in texts %}ifNull({{ text }}, ''){{ "," if not loop.last }} {%- endfor %}],
        [{%- for cell in genders_and_ages() %}'{{ cell.label }}'{{ "," if not loop.last }}{% endfor %}]
    )
{%- endmacro %}

{#- An amount that is missing, negative or no number counts as none. -#}
{% macro amount(text) -%}
    if(isFinite(toFloat64OrZero({{ text }})), greatest(toFloat64OrZero({{ text }}), 0), 0)
{%- endmacro %}

{#-
    Parts of a flat JSON object label -> amount, largest first; labels that are equal once cleaned become one part, and
    empty ones and parts of nothing are left out. `label` is an expression over the key `name`.
-#}
{% macro json_parts(column, label) -%}
    {%- set pairs = "JSONExtractKeysAndValuesRaw(ifNull(" ~ column ~ ", '{}'))" -%}
    {%- set named = (
        "arrayFilter(part -> part.1 != '' and part.2 > 0, arrayMap((name, text) -> ("
        ~ label
        ~ ", "
        ~ amount("trim(BOTH '\"' FROM text)")
        ~ "), "
        ~ pairs
        ~ ".1, "
        ~ pairs
        ~ ".2))"
    ) -%}
    {{ largest_first("arrayReduce('sumMap', [" ~ named ~ ".1], [" ~ named ~ ".2])") }}
{%- endmacro %}

{#- The result of sumMap, a tuple of labels and amounts, as parts; the label settles equal amounts. -#}
{% macro largest_first(totals) -%}
    arrayReverseSort(arrayMap((label, total) -> (total, label), {{ totals }}.1, {{ totals }}.2))
{%- endmacro %}

{#- "Pune, Maharashtra" and "pune" are one city. -#}
{% macro city_name(name) -%} lowerUTF8(trim(splitByChar(',', {{ name }})[1])) {%- endmacro %}

{% macro total_of_parts(parts) -%} arraySum({{ parts }}.1) {%- endmacro %}

{#- Nothing is known of an audience of nobody. -#}
{% macro labels_of_parts(parts) -%} if({{ total_of_parts(parts) }} > 0, {{ parts }}.2, []) {%- endmacro %}

{% macro shares_of_parts(parts, digits=2) -%}
    if(
        {{ total_of_parts(parts) }} > 0,
        arrayMap(amount -> round(100 * amount / {{ total_of_parts(parts) }}, {{ digits }}), {{ parts }}.1),
        []
    )
{%- endmacro %}

{#- The percentage that the parts with such a label have together. -#}
{% macro share_of_labels(parts, beginning, digits=2) -%}
    round(
        100
        * arraySum(arrayMap(part -> if(startsWith(part .2, '{{ beginning }}'), part .1, 0), {{ parts }}))
        / nullIf({{ total_of_parts(parts) }}, 0),
        {{ digits }}
    )
{%- endmacro %}
