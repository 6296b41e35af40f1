{% macro stored_pictures(entity_type, among=none) -%}
    {#- Of `assets` of the caller: the newest stored picture of each profile or post. Of some posts the video is stored instead. -#}
    select
        assumeNotNull(assets.entity_id) as entity_id,
        concat('{{ var("asset_base_url") }}/', trim(leading '/' from assumeNotNull(assets.asset_url))) as url
    from assets
    where
        assets.platform = 'INSTAGRAM'
        and assets.entity_type = '{{ entity_type }}'
        and ifNull(assets.asset_type, '') != 'VIDEO'
        and assets.entity_id != ''
        and assets.asset_url != ''
        {%- if among %} and assets.entity_id in (select {{ among }}.short_code from {{ among }}) {%- endif %}
    order by assets.updated_at desc, assets.id desc
    limit 1 by assets.entity_id
{%- endmacro %}


{% macro larger_thumbnail(thumbnail) -%}
    {#- The larger of the pictures that YouTube keeps under one name; live streams have one of their own. -#}
    replaceRegexpOne({{ thumbnail }}, '/default(_live)?\\.jpg', '/hqdefault\\1.jpg')
{%- endmacro %}
