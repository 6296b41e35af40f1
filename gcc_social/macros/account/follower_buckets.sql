{#- Family follower_buckets: size classes by followers, the peer groups made of them, and ranks among them. Unknown followers belong to no class. -#}
{% macro follower_group(followers) -%}
    multiIf(
        {{ followers }} is null,
        null,
        {{ followers }} < 5000,
        '0-5k',
        {{ followers }} < 10000,
        '5k-10k',
        {{ followers }} < 50000,
        '10k-50k',
        {{ followers }} < 100000,
        '50k-100k',
        {{ followers }} < 500000,
        '100k-500k',
        {{ followers }} < 1000000,
        '500k-1M',
        '1M+'
    )
{%- endmacro %}


{% macro follower_label(followers) -%}
    multiIf(
        {{ followers }} is null,
        null,
        {{ followers }} < 1000,
        'Nano',
        {{ followers }} < 75000,
        'Micro',
        {{ followers }} < 1000000,
        'Macro',
        'Mega'
    )
{%- endmacro %}


{#-
    Key of a peer group: <prefix>_<attribute>_.._<follower group>. An unknown attribute is written as `unknown`; without such a word, and
    for unknown followers, the account belongs to no group (NULL). No segment is ever empty.
-#}
{% macro peer_group(prefix, attributes, followers, unknown=none) -%}
    concat(
        '{{ prefix }}_',
        {% for attribute in attributes -%}
            {% if unknown %} coalesce(nullIf({{ attribute }}, ''), '{{ unknown }}')
            {%- else %} nullIf({{ attribute }}, '')
            {%- endif %},
            '_',
        {% endfor -%}
        {{ follower_group(followers) }}
    )
{%- endmacro %}


{#- Place by followers among the accounts that share `attributes`; NULL when one of these or the followers are unknown. The key settles ties. -#}
{% macro follower_rank(attributes, followers, key) -%}
    if(
        {% for attribute in attributes -%}{{ attribute }} is null or {% endfor -%} {{ followers }} is null,
        null,
        row_number() over (
            partition by {{ attributes | join(", ") }} order by {{ followers }} desc nulls last, {{ key }} desc
        )
    )
{%- endmacro %}
