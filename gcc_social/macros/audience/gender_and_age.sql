{#- The 14 parts by gender and age, from each feed's own way to write them. -#}
{% macro insights_gender_age(column, band_prefix="", oldest="65+") -%}
    {#- An object gender -> band -> amount; people of uncategorized gender or age are in none of the 14 parts. -#}
    {%- set texts = [] -%}
    {%- for cell in genders_and_ages() -%}
        {%- set gender = "male" if cell.gender == "M" else "female" -%}
        {%- set band = band_prefix ~ (oldest if cell.band == "65+" else cell.band) -%}
        {%- do texts.append("JSONExtractString(" ~ column ~ ", '" ~ gender ~ "', '" ~ band ~ "')") -%}
    {%- endfor -%}
    {{ gender_age_parts(texts) }}
{%- endmacro %}

{% macro predicted_gender_age(column) -%}
    {#- One flat object: "18-24 male": 0.31. -#}
    {%- set texts = [] -%}
    {%- for cell in genders_and_ages() -%}
        {%- set key = cell.band ~ " " ~ ("male" if cell.gender == "M" else "female") -%}
        {%- do texts.append("JSONExtractString(" ~ column ~ ", 'audience_gender_age', '" ~ key ~ "')") -%}
    {%- endfor -%}
    {{ gender_age_parts(texts) }}
{%- endmacro %}

{% macro directory_gender_age() -%}
    {#- One column each: youtube_demographic_m_18_24. -#}
    {%- set texts = [] -%}
    {%- for cell in genders_and_ages() -%}
        {%- set band = cell.band | replace("-", "_") | replace("+", "") -%}
        {%- do texts.append("toString(youtube_demographic_" ~ cell.gender | lower ~ "_" ~ band ~ ")") -%}
    {%- endfor -%}
    {{ gender_age_parts(texts) }}
{%- endmacro %}

{% macro predicted_gender(from_picture, male, female) -%}
    {#- What the picture shows; else what the name suggests when it is sure enough. -#}
    multiIf(
        {{ from_picture }} in ('M', 'F'),
        {{ from_picture }},
        {{ male }} > 0.7 and {{ male }} > {{ female }},
        'M',
        {{ female }} > 0.7,
        'F',
        null
    )
{%- endmacro %}

{% macro age_band(age) -%}
    multiIf(
        {{ age }} < 13,
        null,
        {{ age }} < 18,
        '13-17',
        {{ age }} < 25,
        '18-24',
        {{ age }} < 35,
        '25-34',
        {{ age }} < 45,
        '35-44',
        {{ age }} < 55,
        '45-54',
        {{ age }} < 65,
        '55-64',
        {{ age }} >= 65,
        '65+',
        null
    )
{%- endmacro %}
