"""The phrase bank in Spanish: forms of verbs by person, and of adjectives by gender and number. All wording is ours."""

from collections.abc import Callable

from syncvoice.minidub.phrases import Content

_PERSONS = {"I": 0, "we": 1, "they": 2, "you": 3}  # their pronouns are left out, as in speech
_NOUNS = {  # subject -> noun and person
    "my mother": ("mi madre", 4),
    "my father": ("mi padre", 4),
    "my friend": ("mi amigo", 4),
    "the teacher": ("el maestro", 4),
    "the doctor": ("la doctora", 4),
    "the students": ("los alumnos", 2),
    "the girl": ("la niña", 4),
    "the boys": ("los chicos", 2),
}
_FORMS = {  # I, we, they, you, he or she
    "will": ("voy a", "vamos a", "van a", "vas a", "va a"),
    "can": ("puedo", "podemos", "pueden", "puedes", "puede"),
    "must": ("debo", "debemos", "deben", "debes", "debe"),
    "need": ("necesito", "necesitamos", "necesitan", "necesitas"),
    "have": ("tengo", "tenemos", "tienen", "tienes"),
    "see": ("veo", "vemos", "ven", "ves"),
    "bought": ("compré", "compramos", "compraron", "compraste"),
    "found": ("encontré", "encontramos", "encontraron", "encontraste"),
}
_TIMES = {
    "today": "hoy",
    "tomorrow": "mañana",
    "tonight": "esta noche",
    "next week": "la próxima semana",
    "every day": "todos los días",
    "on Friday": "el viernes",
    "this year": "este año",
}
_ACTIONS = {
    "buy new books": "comprar libros nuevos",
    "buy some bread": "comprar pan",
    "drink hot tea": "tomar té caliente",
    "drink cold water": "beber agua fría",
    "drink milk": "beber leche",
    "cook dinner": "preparar la cena",
    "cook fish": "cocinar pescado",
    "eat noodles": "comer fideos",
    "eat apples": "comer manzanas",
    "read the letter": "leer la carta",
    "write a letter": "escribir una carta",
    "watch a film": "ver una película",
    "play football": "jugar al fútbol",
    "sing a song": "cantar una canción",
    "dance": "bailar",
    "learn to swim": "aprender a nadar",
    "learn English": "aprender inglés",
    "clean the kitchen": "limpiar la cocina",
    "wash the car": "lavar el coche",
    "wash the clothes": "lavar la ropa",
    "open the door": "abrir la puerta",
    "close the window": "cerrar la ventana",
    "feed the dog": "alimentar al perro",
    "find the key": "encontrar la llave",
    "go to school": "ir a la escuela",
    "go to the park": "ir al parque",
    "go to the station": "ir a la estación",
    "go home": "ir a casa",
    "go to the sea": "ir al mar",
    "take the train": "tomar el tren",
    "ride a horse": "montar a caballo",
    "rest": "descansar",
    "meet a friend": "ver a un amigo",
    "draw a tree": "dibujar un árbol",
    "climb the mountain": "subir la montaña",
    "help the children": "ayudar a los niños",
}
_ADJECTIVES = {  # masculine, feminine
    "red": ("rojo", "roja"),
    "blue": ("azul", "azul"),
    "white": ("blanco", "blanca"),
    "black": ("negro", "negra"),
    "green": ("verde", "verde"),
    "yellow": ("amarillo", "amarilla"),
    "new": ("nuevo", "nueva"),
    "old": ("viejo", "vieja"),
    "small": ("pequeño", "pequeña"),
    "big": ("grande", "grande"),
    "cold": ("frío", "fría"),
    "hot": ("caluroso", "calurosa"),
    "quiet": ("tranquilo", "tranquila"),
    "busy": ("animado", "animada"),
    "beautiful": ("bonito", "bonita"),
    "safe": ("seguro", "segura"),
}
_THINGS = {  # noun, gender (0 masculine, 1 feminine)
    "apple": ("manzana", 1),
    "book": ("libro", 0),
    "cat": ("gato", 0),
    "dog": ("perro", 0),
    "cup": ("taza", 1),
    "hat": ("sombrero", 0),
    "key": ("llave", 1),
    "phone": ("teléfono", 0),
    "coat": ("abrigo", 0),
    "shoe": ("zapato", 0),
    "umbrella": ("paraguas", 0),
    "ball": ("pelota", 1),
    "bag": ("bolsa", 1),
    "picture": ("cuadro", 0),
    "apples": ("manzanas", 1),
    "cups": ("tazas", 1),
    "balls": ("pelotas", 1),
    "bags": ("bolsas", 1),
    "hats": ("sombreros", 0),
    "boxes": ("cajas", 1),
}
_PLACES = {
    "on the table": "en la mesa",
    "under the bed": "debajo de la cama",
    "in the kitchen": "en la cocina",
    "in the garden": "en el jardín",
    "in the car": "en el coche",
    "at the door": "en la puerta",
    "by the window": "junto a la ventana",
    "in the box": "en la caja",
    "in the room": "en la habitación",
    "at school": "en la escuela",
}
_CITIES = {
    "Beijing": ("Pekín", 0),
    "Shanghai": ("Shanghái", 0),
    "London": ("Londres", 0),
    "Paris": ("París", 0),
    "New York": ("Nueva York", 1),
    "the village": ("el pueblo", 0),
    "this city": ("esta ciudad", 1),
}
_NUMBERS = dict(
    zip(
        ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
        ("dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez"),
        strict=True,
    )
)


def say(content: Content) -> tuple[str, ...]:
    """Return the words of a phrase of the bank."""
    return tuple(_SAYINGS[content.template](*content.parts).split())


def _action(who: str, modal: str, action: str, time: str) -> str:
    noun, person = _NOUNS.get(who) or ("", _PERSONS[who])
    return f"{noun} {_FORMS[modal][person]} {_ACTIONS[action]} {_TIMES[time]}"


def _place(kind: str, thing: str, place: str) -> str:
    noun, gender = _THINGS[thing]
    return f"{('el', 'la')[gender]} {noun} {_ADJECTIVES[kind][gender]} está {_PLACES[place]}"


def _city(city: str, quality: str, time: str) -> str:
    name, gender = _CITIES[city]
    return f"{name} está muy {_ADJECTIVES[quality][gender]} {_TIMES[time]}"


def _count(who: str, verb: str, number: str, kind: str, things: str) -> str:
    noun, gender = _THINGS[things]
    adjective = _ADJECTIVES[kind][gender]
    plural = adjective + ("es" if adjective.endswith("l") else "s")
    return f"{_FORMS[verb][_PERSONS[who]]} {_NUMBERS[number]} {noun} {plural}"


def _question(thing: str, place: str) -> str:
    return f"está mi {_THINGS[thing][0]} {_PLACES[place]}"


_SAYINGS: dict[str, Callable[..., str]] = {
    "action": _action,
    "place": _place,
    "city": _city,
    "count": _count,
    "question": _question,
}
