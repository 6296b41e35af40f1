{{ config(tags=["daily"], order_by="handle") }}

with
    analysis as (select * from {{ source("ds", "creator_followers_fake_analysis") }}),

    accounts as ({{ newest_account("handle") }}),

    followers as (
        select
            assumeNotNull(analysis.handle) as handle,
            follower_handle,
            follower_full_name,
            max(nullIf(analysis.cleaned_name, '')) as name,
            max(analysis.chhitij_logic) as logic,
            max(analysis.number_more_than_4_handle) as many_digits,
            max(analysis.fake_real_based_on_fuzzy_score_90) as unlike_its_name,
            max(analysis.process1_) as process1,
            max(analysis.final_) as verdict,
            max(analysis.indian_name_score) as name_score,
            max(analysis.score_80) as high_score
        from analysis
        where ifNull(analysis.handle, '') != ''
        group by handle, follower_handle, follower_full_name
    ),

    -- A follower without a usable name repeats nobody's.
    named_followers as (
        select *, if(name is null, 0, count() over (partition by handle, name)) as same_name from followers
    ),

    creators as (
        select
            handle,
            count() as followers,
            countIf(logic = 1) as c_fake,
            countIf(logic = 0) as c_real,
            countIf(logic = 2) as c_unknown,
            {% for flag in ["many_digits", "unlike_its_name", "process1"] -%}
                countIf({{ flag }} = 1) as {{ flag }}_fake, countIf({{ flag }} = 0) as {{ flag }}_real,
            {% endfor -%}
            -- A weak fake is 0.33, which no Float32 equals.
            countIf(verdict = 1) + countIf(abs(verdict - 0.33) < 0.005) / 3 as fake,
            countIf(verdict = 0) as real,
            {% for limit in [3, 5, 10] -%}
                countIf(same_name > {{ limit }}) as duplicate_{{ limit }},
                countIf(same_name <= {{ limit }}) as distinct_{{ limit }},
            {% endfor -%}
            countIf(high_score = 1) as high_scores,
            -- A sum of decimals does not depend on the order of its parts.
            avg(toDecimal64(name_score, 6)) as average_score
        from named_followers
        group by handle
    ),

    final as (
        select
            creators.handle as handle,
            creators.followers as reterived_followers,
            accounts.followers as total_followers,
            c_fake,
            c_real,
            c_unknown,
            many_digits_fake as number_more_than_4_handle_fake,
            many_digits_real as number_more_than_4_handle_real,
            unlike_its_name_fake as fake_real_based_on_fuzzy_score_90_fake,
            unlike_its_name_real as fake_real_based_on_fuzzy_score_90_real,
            process1_fake,
            process1_real,
            fake as finall_fake,
            real as final_real,
            {% for limit in [3, 5, 10] -%}
                duplicate_{{ limit }} as duplicate_more_than_{{ limit }}_fake,
                distinct_{{ limit }} as duplicate_more_than_{{ limit }}_real,
            {% endfor -%}
            high_scores as follower_count_with_sore_greater_than_80,
            average_score as avg_of_evaluation_score,
            100 * fake / reterived_followers as final_fake_reterived_follower_ratio,
            {% for limit in [5, 10] -%}
                100
                * duplicate_{{ limit }}
                / reterived_followers as duplicate_more_than_{{ limit }}_reterived_follower_ratio,
            {% endfor -%}
            3 * (100 - average_score)
            + duplicate_more_than_5_reterived_follower_ratio
            + final_fake_reterived_follower_ratio as final_score,
            3 * (100 - average_score)
            + duplicate_more_than_10_reterived_follower_ratio
            + final_fake_reterived_follower_ratio as final_score_new
        from creators
        left join accounts on accounts.handle = creators.handle
    )

select *
from final
