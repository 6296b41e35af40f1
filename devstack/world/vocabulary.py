"""Names, labels and sentences that the world is written with.

Categories, languages and weights follow the contract of the scraper (spec/scrape_flows.md, 7.4 and 7.6), spellings
included. The texts hold on purpose what breaks careless exports: quotes, backslashes, tabs, newlines, emoji, scripts.
"""

from __future__ import annotations

CATEGORY_WEIGHTS = {
    "Entertainment": 14, "Fashion & Style": 10, "Beauty": 7, "Food & Drinks": 7, "Comedy": 6, "Music": 6, "Vloging": 6,
    "Travel & Leisure": 5, "Health & Fitness": 5, "Education": 5, "News & Politics": 4, "Sports": 3, "Gaming": 3,
    "Science & Technology": 3,
}  # fmt: skip
_RARE_CATEGORIES = (
    "Miscellaneous", "Adult", "Devotional", "Book", "Photography & Editing", "Astrology", "Infotainment", "Events",
    "Non profits", "Real Estate", "Finance", "Family & Parenting", "Government", "People & Culture", "Reviews",
    "Kids & Animation", "Films", "Electronics", "Animation", "Defence", "Religious Content",
    "Agriculture & Allied Sectors", "Motivational", "Blogs and Travel", "Pets & Animals", "DIY", "IT & ITES",
    "Arts & Craft", "Legal", "Autos & Vehicles",
)  # fmt: skip
CATEGORY_WEIGHTS |= {name: 16 / len(_RARE_CATEGORIES) for name in _RARE_CATEGORIES}
CATEGORIES = list(CATEGORY_WEIGHTS)

YOUTUBE_CATEGORIES = {
    1: "Film & Animation", 2: "Autos & Vehicles", 10: "Music", 15: "Pets & Animals", 17: "Sports", 18: "Short Movies",
    19: "Travel & Events", 20: "Gaming", 21: "Videoblogging", 22: "People & Blogs", 23: "Comedy", 24: "Entertainment",
    25: "News & Politics", 26: "Howto & Style", 27: "Education", 28: "Science & Technology",
    29: "Nonprofits & Activism", 30: "Movies", 31: "Anime/Animation", 32: "Action/Adventure", 33: "Classics",
    35: "Documentary", 36: "Drama", 37: "Family", 38: "Foreign", 39: "Horror", 40: "Sci-Fi/Fantasy", 41: "Thriller",
    42: "Shorts", 43: "Shows", 44: "Trailers",
}  # fmt: skip
COMMON_YOUTUBE_CATEGORIES = [1, 2, 10, 15, 17, 19, 20, 22, 23, 24, 25, 26, 27, 28]

LANGUAGE_WEIGHTS = {
    "hi": 45, "en": 25, "ta": 6, "te": 6, "ml": 4, "bn": 4, "mr": 4, "kn": 3, "gu": 1.5, "pa": 1, "or": 0.3, "ur": 0.2,
}  # fmt: skip
LANGUAGES = list(LANGUAGE_WEIGHTS)
COUNTRY_WEIGHTS = {"IN": 88, "AE": 2.5, "US": 2.5, "PK": 1.5, "BD": 1.5, "NP": 1.2, "GB": 1.2, "CA": 0.9, "SA": 0.7}
COUNTRIES = list(COUNTRY_WEIGHTS)
COUNTRY_NAMES = {
    "India": "IN", "United Arab Emirates": "AE", "United States": "US", "USA": "US", "Pakistan": "PK",
    "Bangladesh": "BD", "Nepal": "NP", "United Kingdom": "GB", "UK": "GB", "Canada": "CA", "Saudi Arabia": "SA",
    "Sri Lanka": "LK", "Australia": "AU", "Singapore": "SG", "Germany": "DE", "Indonesia": "ID",
}  # fmt: skip
CITIES = [
    "Delhi", "Mumbai", "Lucknow", "Bangalore", "Pune", "Nagpur", "Hyderabad", "Noida", "Chennai", "Kolkata",
    "Ahmedabad", "Jaipur", "Surat", "Kanpur", "Indore", "Patna", "Bhopal", "Kochi", "Chandigarh", "Guwahati",
]  # fmt: skip

AGES = ["13-17", "18-24", "25-34", "35-44", "45-54", "55-64", "65+"]

FIRST_NAMES = [
    "aarav", "aditi", "ajay", "akash", "amit", "ananya", "anjali", "arjun", "ayesha", "bhavna", "chetan", "deepa",
    "dev", "divya", "esha", "farhan", "gaurav", "geeta", "harsh", "isha", "jatin", "jyoti", "kabir", "karan", "kavya",
    "kiran", "lakshmi", "manish", "meera", "mohit", "naina", "neha", "nikhil", "nisha", "pooja", "pranav", "priya",
    "rahul", "rajesh", "ravi", "rekha", "ritu", "rohan", "saanvi", "sachin", "sameer", "sana", "sanjay", "shreya",
    "simran", "sneha", "suresh", "swati", "tanvi", "tara", "uday", "varun", "vidya", "vikram", "zoya",
]  # fmt: skip
SECOND_WORDS = [
    "sharma", "verma", "patel", "reddy", "nair", "iyer", "das", "ghosh", "kapoor", "khan", "singh", "gill", "joshi",
    "kulkarni", "desai", "mehta", "shetty", "menon", "pillai", "rao", "naidu", "bose", "mishra", "tiwari", "yadav",
    "chauhan", "malik", "sethi", "bhatt", "trivedi", "vlogs", "official", "styles", "kitchen", "travels", "fitness",
    "comedy", "beats", "gamer", "tech", "arts", "bakes", "beauty", "diaries", "daily", "stories", "studio", "dance",
    "photos", "fashion", "yoga", "cricket", "films", "music", "reviews", "teaches", "explores", "eats", "lifts",
    "reads",
]  # fmt: skip
SEPARATORS = [".", "_", ""]

BIOGRAPHIES: list[str | None] = [
    "Living my best life ✨ | DM for collabs 📩",
    'She said "be yourself", so here I am 😄\nMumbai 📍',
    "Actor • Dancer • Dreamer\n📞 98{n:08d}",
    "Food lover from {city} 🍛 | Business: mail me | C:\\recipes\\daily",
    "Daily comedy reels 😂\tNew post at 7 pm\tFollow for more",
    "It's all about {category} & more, that's it.",
    "भारतीय 🇮🇳 | सपने देखो, पूरे करो",
    "தமிழ் பசங்க 💥 சினிமா | {city}",
    "తెలుగు అబ్బాయి ❤️ | {category}",
    "മലയാളി 🌴 | യാത്രകൾ",
    "বাংলা গান 🎵 ভালোবাসি",
    "{category} | Est. 20{m:02d} | 50% off <code>: SAVE\\10 ; drop 'em a line",
    "💼 Business: 7{n:09d}\n🎂 {m} May\n👇 New video 👇",
    'Trainer, {city}. Don\'t quit; never "settle"!\r\nBook a class 🏋️‍♀️',
    "",
    None,
]
CAPTIONS: dict[str, list[str | None]] = {
    "en": [
        "Weekend mood 😎 #weekend #{tag}",
        'They asked "why?" and I said "why not!" #{tag} #motivation',
        "New drop is live!\nLink in bio 👆\n#{tag} #newpost #india",
        "Paid partnership with @brand | use code SAVE\\20 #ad",
        "Behind the scenes\tfrom yesterday's shoot 🎬 #{tag} #bts",
        "Recipe below 👇\n1) mix; 2) bake; 3) eat 🍰 #food #{tag}",
        "It's a wrap! Thank you {city} ❤️ #{tag}",
        "100% honest review & rating: 4/5 ⭐ #review #{tag}",
        "",
        None,
    ],
    "hi": [
        "आज का वीडियो कैसा लगा? 😂 #{tag} #comedy",
        "दिल से शुक्रिया ❤️🙏 #{tag} #india",
        "Aaj ka look kaisa hai? 😍 #ootd #{tag}",
        "घर का खाना 🍛 सबसे अच्छा\n#food #{tag}",
        "Dosto, full video channel par 👆 #{tag} #reels",
        "सुबह की शुरुआत ☀️ #{tag}",
        'माँ ने कहा: "पहले खाना, फिर रील" 😄 #{tag}',
    ],
    "ta": ["இன்றைய வீடியோ 🎬 #{tag} #tamil", "நன்றி மக்களே ❤️ #{tag}", "சென்னை மழை 🌧️ #chennai #{tag}"],
    "te": ["ఈ రోజు వంట 🍛 #{tag} #telugu", "ధన్యవాదాలు ❤️ #{tag}", "హైదరాబాద్ బిర్యానీ 😋 #hyderabad #{tag}"],
    "ml": ["ഇന്നത്തെ യാത്ര 🌴 #{tag} #malayalam", "നന്ദി ❤️ #{tag}"],
    "bn": ["আজকের গান 🎵 #{tag} #bangla", "ধন্যবাদ কলকাতা ❤️ #{tag}"],
    "mr": ["आजचा दिवस छान होता ☀️ #{tag} #marathi", "पुणे तिथे काय उणे 😄 #pune #{tag}"],
    "kn": ["ಇಂದಿನ ವಿಡಿಯೋ 🎬 #{tag} #kannada", "ಬೆಂಗಳೂರು ಮಳೆ 🌧️ #{tag}"],
    "gu": ["આજનો વિડિયો 😄 #{tag} #gujarati"],
    "pa": ["ਅੱਜ ਦਾ ਗੀਤ 🎵 #{tag} #punjabi"],
    "or": ["ଆଜିର ଭିଡିଓ 🎬 #{tag} #odia"],
    "ur": ["آج کی ویڈیو 🎬 #{tag} #urdu"],
}
TAGS = ["reels", "viral", "trending", "love", "fashion", "travel", "food", "fitness", "music", "dance", "art", "tech"]
VIDEO_TITLES = [
    "{city} street food tour | must try!",
    "How I learnt {category} in 30 days",
    "Don't do this mistake 😱 (100% real)",
    'We built a "robot" at home | C:\\>run',
    "घर बैठे पैसे कैसे कमाए?",
    "Full movie explained\tin 10 minutes",
    "தமிழ் காமெடி 😂 part {m}",
    "Unboxing & review: worth it?",
    "Live Q&A #{m}",
    "మా ఊరి వంట | village cooking",
    "Shorts 😂 #{tag} #shorts",
    "Day {m} of 100 days challenge",
]

INSTAGRAM_SOURCES = [
    "rapidapi-jotucker",
    "rapidapi-arraybobo",
    "rapidapi-bestsolutions",
    "lama",
    "rocketapi",
    "graphapi",
]
YOUTUBE_SOURCES = ["ytapi", "rapidapi-yt"]


def rendered(pool: list[str | None], copies: int) -> list[str | None]:
    """The pool repeated `copies` times with its place-holders filled in, each copy a little different."""
    result: list[str | None] = []
    for copy in range(copies):
        fields = {
            "n": (copy * 7_919_317 + 12_345) % 100_000_000,
            "m": copy % 30 + 1,
            "city": CITIES[copy % len(CITIES)],
            "category": CATEGORIES[copy % len(CATEGORIES)].lower(),
            "tag": TAGS[copy % len(TAGS)],
        }
        result += [None if text is None else text.format(**fields) for text in pool]
    return result
