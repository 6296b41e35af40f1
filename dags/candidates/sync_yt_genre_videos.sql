-- Every genre in every language, from two seeds. Columns: category, language (empty: any language). Written `any`
-- in the seed, because an empty cell of a CSV file is a missing value.
select genres.category as category, if(languages.language = 'any', '', languages.language) as language
from dbt.video_genres as genres
cross join dbt.video_genre_languages as languages
