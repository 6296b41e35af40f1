-- Every genre in every language, from two seeds. Columns: category, language (empty: any language). Any language is
-- written `any` in the seed, because an empty cell of a CSV file is a missing value.
with
    genres as (select category from dbt.video_genres),
    languages as (select if(language = 'any', '', language) as code from dbt.video_genre_languages)
select genres.category as category, languages.code as language
from genres
cross join languages
