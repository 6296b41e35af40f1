{{ config(tags=["weekly"], order_by="profile_id") }}

{%- set scripts = {
    "Bengali": "\\\\p{Bengali}",
    "Devanagari": "\\\\p{Devanagari}",
    "Kannada": "\\\\p{Kannada}",
    "Latin": "\\\\p{Latin}",
    "Tamil": "\\\\p{Tamil}",
    "Telugu": "\\\\p{Telugu}",
} -%}

with
    posts as (select * from {{ merged(ref("stg_beat_instagram_post")) }}),

    common_words as (select * from {{ ref("devanagari_words") }}),

    captions as (
        select
            assumeNotNull(posts.profile_id) as profile_id,
            assumeNotNull(posts.shortcode) as shortcode,
            -- Hashtags, names and links are English in every caption.
            replaceRegexpAll(ifNull(caption, ''), '[#@]\\S+|https?://\\S+', ' ') as text
        from posts
        where ifNull(posts.profile_id, '') != '' and ifNull(posts.shortcode, '') != ''
    ),

    written as (
        select
            *,
            arrayReverseSort(
                [
                    {% for script, letter in scripts.items() -%}
                        (countMatches(text, '{{ letter }}'), '{{ script }}'),
                    {% endfor -%}
                    (countMatches(text, '[^\\P{L}{{ scripts.values() | join }}]'), 'another')
                ]
            ) as letters,
            -- Equally many letters of two scripts say nothing.
            if(letters[1] .1 > letters[2] .1, letters[1] .2, '') as script
        from captions
    ),

    counted as (
        select
            *,
            extractAll(text, '[\\p{Devanagari}\\x{200C}\\x{200D}]+') as words,
            {% for language in ["hi", "mr"] -%}
                arrayCount(
                    word -> has((select groupArray(word) from common_words where language = '{{ language }}'), word),
                    words
                ) as {{ language }}_words {{- "," if not loop.last }}
            {% endfor %}
        from written
        where script != ''
    ),

    told as (
        select
            profile_id,
            shortcode,
            multiIf(
                -- Assamese has two letters of its own, Marathi one that Hindi hardly uses.
                script = 'Bengali',
                if(match(text, '[ৰৱ]'), 'as', 'bn'),
                script = 'Devanagari',
                multiIf(mr_words > hi_words, 'mr', hi_words > mr_words, 'hi', position(text, 'ळ') > 0, 'mr', 'unknown'),
                transform(script, ['Kannada', 'Tamil', 'Telugu'], ['kn', 'ta', 'te'], 'another')
            ) as lang
        from counted
    ),

    shares as (
        select
            profile_id,
            lang,
            uniqExact(shortcode) as posts_in_language,
            posts_in_language / sum(posts_in_language) over (partition by profile_id) as share
        from told
        where lang != 'unknown'
        group by profile_id, lang
    ),

    final as (
        select profile_id, lang
        from shares
        where lang in ('bn', 'ta', 'te', 'mr', 'kn', 'hi') and share > 0.5 and posts_in_language >= 5
    )

select *
from final
