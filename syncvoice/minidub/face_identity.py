"""One face per voice: what makes it (drawn from the voice's name) and its picture with the mouth closed and at rest."""

from dataclasses import dataclass

import cv2
import numpy as np

from syncvoice import seeding
from syncvoice.minidub import face_mesh as mesh
from syncvoice.minidub import face_warp as warp
from syncvoice.minidub.face_mesh import CANVAS, Portrait
from syncvoice.video import mesh_points as at

GEOMETRY_ITERATIONS = 10

# CIE Lab (L 0..100) of skins and hairs that identities are mixed from (our choice).
_SKINS = ((79, 10, 14), (74, 13, 18), (68, 14, 22), (58, 15, 25), (47, 14, 22), (36, 11, 16))
_HAIRS = ((14, 2, 3), (22, 6, 9), (30, 8, 14), (38, 16, 24), (50, 7, 24), (62, 5, 26), (66, 0, 3))
_SUITS = ((0.92, 0.45, 0.28), (0.25, 0.35, 0.55), (0.20, 0.42, 0.34), (0.45, 0.45, 0.48), (0.55, 0.22, 0.30))


@dataclass(frozen=True)
class Identity:
    """What distinguishes one face: shapes as factors of the portrait's, shifts in canvas pixels, colours in Lab."""

    name: str
    sex: str
    face_width: float
    jaw_width: float
    chin_shift: float
    eye_size: float
    eye_gap: float
    nose_width: float
    nose_length: float
    mouth_width: float
    lip_fullness: float
    brow_shift: float
    brow_weight: float
    hair_volume: float
    skin: tuple[float, float, float]
    hair: tuple[float, float, float]
    lip_colour: tuple[float, float]
    stubble: float
    light: tuple[float, float]
    background: tuple[float, float, float]
    suit: tuple[float, float, float]
    teeth: float


def identity_of(voice_name: str, sex: str) -> Identity:
    """Draw the face of a voice; the same name always gives the same face.

    Args:
        voice_name: any text.
        sex: "female" or "male" (any word that starts with f or m).
    """
    random = seeding.rng(0, "minidub identity", voice_name)
    male = sex.lower().startswith("m")

    def between(low: float, high: float) -> float:
        return float(random.uniform(low, high))

    def mixed(palette: tuple, jitter: float) -> tuple:
        place = random.uniform(0, len(palette) - 1)
        low, share = int(place), place % 1
        colour = np.array(palette[low]) * (1 - share) + np.array(palette[min(low + 1, len(palette) - 1)]) * share
        return tuple(float(v) for v in colour + random.uniform(-jitter, jitter, 3))

    return Identity(
        name=voice_name,
        sex="male" if male else "female",
        face_width=between(0.97, 1.08) if male else between(0.92, 1.04),
        jaw_width=between(1.02, 1.16) if male else between(0.90, 1.04),
        chin_shift=between(0, 9) if male else between(-5, 4),
        eye_size=between(0.88, 1.04) if male else between(0.98, 1.18),
        eye_gap=between(-3.5, 3.5),
        nose_width=between(1.0, 1.25) if male else between(0.85, 1.1),
        nose_length=between(-3, 6),
        mouth_width=between(0.84, 0.98),
        lip_fullness=between(0.9, 1.25) if male else between(1.15, 1.6),
        brow_shift=between(-4, 2) if male else between(-1, 5),
        brow_weight=between(0.45, 0.85) if male else between(0.1, 0.5),
        hair_volume=between(0.80, 0.90) if male else between(0.92, 1.04),
        skin=mixed(_SKINS, 1.5),
        hair=mixed(_HAIRS, 2.0),
        lip_colour=(between(2, 9), between(-3, 3)) if male else (between(8, 20), between(-4, 4)),
        stubble=between(0.0, 0.35) if male else 0.0,
        light=(between(-1, 1), between(-0.6, 0.6)),
        background=tuple(np.clip(between(0.25, 0.75) + random.uniform(-0.16, 0.16, 3), 0.1, 0.9).tolist()),
        suit=_SUITS[int(random.integers(len(_SUITS)))],
        teeth=between(0.84, 1.0),
    )


@dataclass(frozen=True)
class Base:
    """The face at rest: image uint8 (CANVAS, CANVAS, 3) RGB and landmarks (468, 3) in canvas pixels."""

    image: np.ndarray
    landmarks: np.ndarray


def base_of(identity: Identity) -> Base:
    """Morph and colour the portrait into a face with its mouth closed."""
    source = mesh.portrait()
    landmarks = _reshaped(identity, source.landmarks)
    neutral, cut = _neutral_lips(identity, source.landmarks, landmarks)
    layers = np.dstack([source.image.astype(np.float32), source.person * 255, source.skin * 255, source.hair * 255])
    warped = _cut_and_warp(layers, cut, neutral, identity, source)
    image = _coloured(identity, warped[..., :3], neutral, *(warped[..., i] / 255 for i in (3, 4, 5)))
    return Base(np.clip(image, 0, 255).astype(np.uint8), neutral)


def free_landmarks(landmarks: np.ndarray) -> np.ndarray:
    """Mark the landmarks (468,) around the lips that follow their neighbours instead of being placed."""
    lips = landmarks[list(at.UPPER_OUTER + at.LOWER_OUTER), :2]
    reach = 0.30 * np.linalg.norm(landmarks[291, :2] - landmarks[61, :2])
    near = np.linalg.norm(landmarks[:, None, :2] - lips, axis=-1).min(axis=1) < reach
    near[list(at.UPPER_LIP + at.LOWER_LIP + at.LIP_CORNERS + at.NOSE)] = False
    return near


def _reshaped(identity: Identity, landmarks: np.ndarray) -> np.ndarray:
    """Move landmarks (468, 3) to the identity's proportions."""
    points = landmarks.copy()
    axis = landmarks[[at.FOREHEAD, at.CHIN], 0].mean()
    brow, nose, chin = landmarks[66, 1], landmarks[2, 1], landmarks[at.CHIN, 1]
    low = np.clip((landmarks[:, 1] - nose) / (chin - nose), 0, 1)
    rim = np.clip(np.abs(landmarks[:, 0] - axis) / 60, 0, 1)
    factor = identity.face_width * (1 + (identity.jaw_width - 1) * low * rim)
    points[:, 0] = axis + (landmarks[:, 0] - axis) * factor
    points[:, 1] += identity.chin_shift * low**1.5
    length = np.clip((landmarks[:, 1] - brow) / (nose - brow), 0, 1) * np.clip((chin - landmarks[:, 1]) / 60, 0, 1)
    points[:, 1] += identity.nose_length * length * np.clip(1 - np.abs(landmarks[:, 0] - axis) / 60, 0, 1)
    wings = list(at.NOSE)
    points[wings, 0] = axis + (points[wings, 0] - axis) * identity.nose_width
    for side, (contour, eyebrow) in (
        (-1, (at.LEFT_EYE, at.LEFT_BROW)),
        (1, (at.RIGHT_EYE, at.RIGHT_BROW)),
    ):
        eye = list(dict.fromkeys(contour[0] + contour[1]))
        middle = points[eye, :2].mean(axis=0)
        points[eye, :2] = middle + (points[eye, :2] - middle) * identity.eye_size
        points[eye + list(eyebrow), 0] += side * identity.eye_gap
        points[list(eyebrow), 1] -= identity.brow_shift
    return points


def _neutral_lips(identity: Identity, source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Close the portrait's smile: lips meet on a nearly straight seam, narrower and fuller.

    Returns:
        target landmarks with the lips closed, and the source landmarks with the inner lips moved into the lip, so
        that no tooth of the smile is pulled into the closed mouth; both (468, 3).
    """
    target, cut = target.copy(), source.copy()
    cx, seam = source[[13, 14], :2].mean(axis=0)
    tilt = (source[291, 1] - source[61, 1]) / (source[291, 0] - source[61, 0])
    half = (source[291, 0] - source[61, 0]) / 2
    shift_x, shift_y = (target[[13, 14], :2] - source[[13, 14], :2]).mean(axis=0)
    sides = (
        (at.UPPER_LIP + at.LIP_CORNERS, at.UPPER_INNER, 1.25),
        (at.LOWER_LIP, at.LOWER_INNER, 1.15),
    )
    for outer, inner, swell in sides:
        lip = list(outer)
        across = source[lip, 0] - cx
        rim = np.interp(source[lip, 0], *source[[61, *inner, 291], :2].T)
        curve = 1.5 * (1 - np.clip(across / half, -1, 1) ** 2)  # the seam hangs a little in the middle
        target[lip, 0] = cx + shift_x + across * identity.mouth_width
        height = (source[lip, 1] - rim) * swell * identity.lip_fullness
        target[lip, 1] = seam + shift_y + tilt * across * identity.mouth_width + curve + height
    cut[list(at.UPPER_INNER[1:-1]), 1] -= 1.6
    cut[list(at.LOWER_INNER[1:-1]), 1] += 1.6
    return target, cut


def _hair_anchors(identity: Identity, source: Portrait) -> tuple[np.ndarray, np.ndarray]:
    """Points on the outline of the hair and where the identity's hair volume moves them, (n, 2) each."""
    centre = source.landmarks[list(at.LEFT_EYE[0] + at.RIGHT_EYE[0]), :2].mean(axis=0)
    angles = np.radians(np.arange(-200, 21, 10))
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    reach = np.arange(40, 170)
    rays = np.clip(np.round(centre + reach[:, None, None] * directions).astype(int), 0, CANVAS - 1)
    inside = source.person[rays[..., 1], rays[..., 0]] > 0.5
    radius = reach[inside.shape[0] - 1 - inside[::-1].argmax(axis=0)]
    outline = centre + radius[:, None] * directions
    return outline, centre + (outline - centre) * identity.hair_volume


def _cut_and_warp(
    layers: np.ndarray, cut: np.ndarray, neutral: np.ndarray, identity: Identity, source: Portrait
) -> np.ndarray:
    """Pull the layers of the portrait (h, w, c) to the neutral landmarks, upper and lower face apart at the lips."""
    free = free_landmarks(source.landmarks)
    outline, moved = _hair_anchors(identity, source)
    grid = warp.cell_centres()
    halves = []
    for other in (at.LOWER_LIP, at.UPPER_LIP):
        keep = ~free
        keep[list(other)] = False
        start = np.vstack([cut[keep, :2], outline])
        field = warp.spread(start, np.vstack([neutral[keep, :2], moved]) - start)
        origin = warp.enlarge(warp.sources(field, grid, GEOMETRY_ITERATIONS))
        halves.append(
            np.dstack([cv2.remap(part, origin, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
                       for part in (layers[..., :3], layers[..., 3:])])
        )  # fmt: skip
    below = below_seam(neutral[list(at.UPPER_INNER), :2], CANVAS)[..., None]
    return halves[0] * (1 - below) + halves[1] * below


def below_seam(seam: np.ndarray, size: int) -> np.ndarray:
    """Mask of what lies under a line (n, 2) from left to right, prolonged to the edges: float32 (size, size)."""
    left, right = [[-9, seam[0, 1]], [-9, size + 9]], [[size + 9, size + 9], [size + 9, seam[-1, 1]]]
    return mesh.polygon_mask(np.vstack([left[::-1], seam, right[::-1]]), size)


def _coloured(
    identity: Identity, image: np.ndarray, points: np.ndarray, person: np.ndarray, skin: np.ndarray, hair: np.ndarray
) -> np.ndarray:
    """Give the picture (h, w, 3) its skin, lips, brows, hair, suit, light and background."""
    image = _tinted(image, skin, identity.skin, contrast=1.0)
    image = _tinted(image, hair, identity.hair, contrast=0.9)
    image = _made_up(identity, image, points, skin)
    rows = np.arange(CANVAS, dtype=np.float32)[:, None]
    suit = person * np.clip((rows - points[at.CHIN, 1] - 20) / 10, 0, 1)
    suit = (suit * (1 - skin) * (1 - hair))[..., None]
    luma = image.mean(axis=2, keepdims=True)
    image = image * (1 - suit) + suit * luma * (0.35 + 1.1 * np.array(identity.suit, np.float32))
    image = image * _light(identity, points)[..., None]
    return _before_background(identity, image, person)


def _tinted(image: np.ndarray, mask: np.ndarray, colour: tuple, contrast: float) -> np.ndarray:
    """Shift the part under a mask to a mean colour in Lab, keeping its relief."""
    lab = cv2.cvtColor(np.clip(image, 0, 255).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    weight = mask[..., None]
    mean = (lab * weight).sum(axis=(0, 1)) / weight.sum()
    relief = lab - mean
    wanted = np.array(colour, np.float32)
    relief[..., 0] *= contrast * (0.55 + 0.45 * np.clip(wanted[0] / mean[0], 0.3, 1.2))
    lab = lab * (1 - weight) + (wanted + relief) * weight
    return np.clip(cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB), 0, 1) * 255


def _made_up(identity: Identity, image: np.ndarray, points: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Colour the lips and their seam, thicken the brows, add stubble."""
    xy = points[:, :2]
    lab = cv2.cvtColor(np.clip(image, 0, 255).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lips = mesh.polygon_mask(xy[list(at.UPPER_OUTER) + list(at.LOWER_OUTER[::-1])], CANVAS)
    lips = cv2.GaussianBlur(lips, (0, 0), 1.2)
    lab[..., 0] -= lips * (3 + 0.12 * identity.skin[0])
    lab[..., 1] += lips * identity.lip_colour[0]
    lab[..., 2] += lips * identity.lip_colour[1]
    seam = np.zeros((CANVAS, CANVAS), np.uint8)
    line = np.round(xy[[61, *at.UPPER_INNER, 291]] * 16).astype(np.int32)
    cv2.polylines(seam, [line], False, 255, 1, cv2.LINE_AA, shift=4)
    lab[..., 0] *= 1 - 0.55 * cv2.GaussianBlur(seam.astype(np.float32) / 255, (0, 0), 0.8)
    for brow in (at.LEFT_BROW, at.RIGHT_BROW):
        shape = mesh.polygon_mask(xy[list(brow)], CANVAS)
        shape = cv2.GaussianBlur(shape, (0, 0), 1.6) * identity.brow_weight
        lab[..., 0] *= 1 - 0.55 * shape
    lower = xy[list(at.FACE_OVAL)].copy()
    lower[:, 1] = np.maximum(lower[:, 1], xy[2, 1])
    beard = cv2.GaussianBlur(mesh.polygon_mask(lower, CANVAS), (0, 0), 7) * (1 - lips) * skin * identity.stubble
    lab[..., 0] *= 1 - 0.35 * beard
    lab[..., 1:] *= 1 - 0.4 * beard[..., None]
    return np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1) * 255


def _light(identity: Identity, points: np.ndarray) -> np.ndarray:
    """Brightness (CANVAS, CANVAS) of a soft light from the identity's direction."""
    axis = (np.arange(CANVAS, dtype=np.float32) - points[1, 0]) / 150
    rise = (np.arange(CANVAS, dtype=np.float32) - points[1, 1]) / 150
    slope = identity.light[0] * np.clip(axis, -1, 1)[None, :] + identity.light[1] * np.clip(rise, -1, 1)[:, None]
    return np.clip(0.97 + 0.26 * slope, 0.6, 1.14)


def _before_background(identity: Identity, image: np.ndarray, person: np.ndarray) -> np.ndarray:
    """Put the person before a plain, softly lit wall."""
    colour = np.array(identity.background, np.float32) * 255
    fall = 1.05 - 0.25 * np.linspace(0, 1, CANVAS, dtype=np.float32)[:, None]
    fall = fall + 0.12 * identity.light[0] * np.linspace(-1, 1, CANVAS, dtype=np.float32)[None, :]
    edge = np.clip((cv2.GaussianBlur(person, (0, 0), 2.0) - 0.55) / 0.4, 0, 1)[..., None]
    return image * edge + colour * fall[..., None] * (1 - edge)
