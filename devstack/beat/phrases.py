"""What strangers write and are called, and what a language model answers: the words of the invented events."""

from __future__ import annotations

COMMENTS: list[tuple[str, str, float]] = [  # text, sentiment, score
    ("Love this ❤️❤️", "POSITIVE", 0.98),
    ("Amazing yaar! Kab aayega part 2? 😍", "POSITIVE", 0.91),
    ("बहुत सुंदर 🙏", "POSITIVE", 0.95),
    ("செம்ம மாஸ் 🔥", "POSITIVE", 0.88),
    ("Price please?", "NEUTRAL", 0.81),
    ("first", "NEUTRAL", 0.55),
    ("@friend look at this\nhttps://example.com/?a=1&b=2", "NEUTRAL", 0.62),
    ('He said "paid promotion", didn\'t he? C:\\ads', "NEGATIVE", 0.66),
    ("Fake reviews!! unfollowing 😡", "NEGATIVE", 0.97),
    ("Not worth it; 1/5", "NEGATIVE", 0.9),
    ("😂😂😂", "POSITIVE", 0.7),
    ("", "NEUTRAL", 0.5),
]

FOLLOWER_NAMES = [
    "Rahul Kumar", "Priya S", "Amit Sharma", "राहुल वर्मा", "பிரியா குமார்", "రవి తేజ", "ಕಾವ್ಯ ರಾವ್", "അനു മോൾ",
    "রিয়া দাস", "હાર્દિક પટેલ", "ਗੁਰਪ੍ਰੀਤ", "ମମତା", "فاطمہ خان", 'Sam "Sunny" D\'Souza', "user 88412097", "Xrtq Bnmk",
    "Ⓐⓝⓙⓐⓛⓘ ✨", "", "Mohd. Arif \\ Official", "R",
]  # fmt: skip
PLAIN_NAMES = len(FOLLOWER_NAMES) - 8
"""The first names are a person's in some script, the others look made up, decorated, or say nothing."""

ACTIVITY_TYPES = ["subscription", "playlistItem", "upload", "like", "comment", "recommendation"]

GENDERS = ["MALE", "FEMALE", "MALE", "FEMALE", "MALE", "UNKNOWN", "Male", ""]
CITIES: list[object] = [
    "Mumbai", "Delhi", ["Mumbai", "Pune"], "Hyderabad/Secunderabad", "Unknown", "UNKNOWN", "NA", "Not specified",
    ["Chennai"], "Kochi", [], "Jaipur", None, '["Indore", "Bhopal"]',
]  # fmt: skip
STATES: list[object] = [
    "Maharashtra", "Delhi", ["Maharashtra"], "Telangana", "Unknown", "UNKNOWN", "NA", "Not Available",
    ["Tamil Nadu"], "Kerala", [], "Rajasthan", None, '["Madhya Pradesh"]',
]  # fmt: skip
COUNTRIES_NAMED: list[object] = [
    "India", "India", ["India", "United Arab Emirates"], "India, USA", "India | Nepal", "Worldwide", "Bikini Bottom",
    "India/Sri Lanka", "Wakanda", "United Kingdom", ["India"], "INTERNATIONAL", None, "India",
]  # fmt: skip
LANGUAGES_NAMED: list[object] = [
    ["Hindi", "English"], "Hindi", "Hindi/English", ["Tamil"], "Assamese", "Kannada", ["kannada", "English"], "Unknown",
    "Not specified", ["Malayalam", "English"], "Bhojpuri", [], None, "Klingon",
]  # fmt: skip
TOPICS = ["makeup", "street food", "stand-up", "cricket", "budget travel", "home decor", "yoga", "gadgets", "बॉलीवुड"]

USER_AGENTS = [
    "Mozilla/5.0 (Linux; Android 13; SM-A536E) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/118.0.0.0 Mobile "
    "Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 "
    "Mobile/15E148 Safari/604.1",
    "Dalvik/2.1.0 (Linux; U; Android 12; Redmi Note 11 Build/SKQ1.211103.001)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "okhttp/4.9.2",
    "",
]
