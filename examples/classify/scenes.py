# SPDX-License-Identifier: Apache-2.0
"""Pictures of things on a table, drawn from formulas: what the examples with pictures are trained on, and shown.

Each thing is a signed distance (negative inside) and a colour, both functions of points; a ray walks through the distance
field until it is there (J. C. Hart, Sphere tracing, 1996). All random choices come from one generator: a seed gives the same
pictures on every machine, to the last bits of float arithmetic. Needs torch.
"""
import math

import torch

NAMES = ["apple", "banana", "book", "bottle", "candle", "carrot", "cherries", "die",
         "doughnut", "egg", "ice cream", "lemon", "mug", "mushroom", "orange", "pear"]


# Distances. p: [n, 3], z is up, things stand on z = 0; k: [n, 4], numbers from 0 to 1 that say which apple it is.

def at(*xyz):
    return torch.tensor(xyz, dtype=torch.float32)


def ball(p, centre, r):
    return (p - at(*centre)).norm(dim=1) - r


def rod(p, a, b, ra, rb=None):
    """From a to b, ra thick there and rb here, round ends."""
    a, b = at(*a), at(*b)
    t = (((p - a) @ (b - a)) / ((b - a) @ (b - a))).clamp(0, 1)
    return (p - a - t[:, None] * (b - a)).norm(dim=1) - (ra if rb is None else ra + (rb - ra) * t)


def ellipsoid(p, centre, radii):
    q = (p - at(*centre)) / at(*radii)
    n = q.norm(dim=1)
    return n * (n - 1) / (q / at(*radii)).norm(dim=1).clamp(min=1e-6)


def box(p, centre, half, round_):
    q = (p - at(*centre)).abs() - (at(*half) - round_)
    return q.clamp(min=0).norm(dim=1) + q.max(dim=1).values.clamp(max=0) - round_


def tube(p, bottom, top, r, round_=0.02):
    """A cylinder that stands."""
    d = torch.stack([p[:, :2].norm(dim=1) - r + round_, (p[:, 2] - (bottom + top) / 2).abs() - (top - bottom) / 2 + round_], 1)
    return d.max(dim=1).values.clamp(max=0) + d.clamp(min=0).norm(dim=1) - round_


def ring(p, centre, big, small):
    q = p - at(*centre)
    return torch.hypot(q[:, :2].norm(dim=1) - big, q[:, 2]) - small


def melt(a, b, k):
    """The smaller of two distances, with a smooth seam of width k."""
    h = (k - (a - b).abs()).clamp(min=0) / k
    return torch.minimum(a, b) - h * h * k / 4


def apple(p, k):
    q = p * torch.stack([1 + 0.25 * (0.45 - p[:, 2])] * 2 + [torch.ones(len(p))], 1)
    return torch.minimum(ring(q, (0, 0, 0.36), 0.19, 0.34 + 0.03 * k[:, 0]), rod(p, (0, 0, 0.5), (0.06, 0, 0.86), 0.025, 0.035))


def banana(p, k):
    q = p - at(0, -0.55, 0.15)
    angle = torch.atan2(q[:, 0], q[:, 1]).clamp(-0.95, 0.95)
    big = 0.6 + 0.1 * k[:, 0]
    on = torch.stack([big * torch.sin(angle), big * torch.cos(angle), torch.zeros(len(p))], 1)
    return (q - on).norm(dim=1) - (0.15 - 0.1 * (angle.abs() / 0.95) ** 4 - 0.03 * k[:, 1])


def book(p, k):
    return box(p, (0, 0, 0.12), (0.58, 0.42, 0.12), 0.015)


def bottle(p, k):
    neck = tube(p, 0.3, 1.25, 0.085)
    return melt(tube(p, 0, 0.75, 0.24, 0.06), neck, 0.22)


def candle(p, k):
    return torch.minimum(tube(p, 0, 0.75, 0.15), torch.minimum(rod(p, (0, 0, 0.7), (0, 0, 0.82), 0.015),
                                                              ellipsoid(p, (0, 0, 0.95), (0.065, 0.065, 0.15))))


def carrot_leaves(p):
    leaves = [rod(p, (0.5, 0, 0.17), (0.95, y, z), 0.025, 0.05) for y, z in ((-0.2, 0.2), (0, 0.4), (0.2, 0.25), (0.05, 0.15))]
    return torch.stack(leaves).amin(0)


def carrot(p, k):
    return torch.minimum(rod(p, (-0.65, 0, 0.05), (0.45, 0, 0.17), 0.025, 0.17), carrot_leaves(p))


def cherry_stems(p):
    return torch.minimum(rod(p, (-0.27, 0, 0.4), (0.05, 0.1, 1.05), 0.02), rod(p, (0.27, 0.1, 0.4), (0.05, 0.1, 1.05), 0.02))


def cherries(p, k):
    return torch.minimum(torch.minimum(ball(p, (-0.27, 0, 0.23), 0.235), ball(p, (0.27, 0.1, 0.23), 0.235)), cherry_stems(p))


def die(p, k):
    return box(p, (0, 0, 0.4), (0.4, 0.4, 0.4), 0.07)


def doughnut(p, k):
    return ring(p, (0, 0, 0.17), 0.4, 0.175)


def egg(p, k):
    q = (p - at(0, 0, 0.33)) * torch.stack([torch.full((len(p),), 0.74)] + [1 + 0.3 * p[:, 0]] * 2, 1)
    return q.norm(dim=1) - 0.33


def ice_cream(p, k):
    cone = rod(p, (0, 0, 0.02), (0, 0, 0.72), 0.02, 0.24)
    scoop = melt(ball(p, (0, 0, 0.95), 0.3), ring(p, (0, 0, 0.8), 0.24, 0.07), 0.08)
    return torch.minimum(cone, scoop)


def lemon(p, k):
    return melt(ellipsoid(p, (0, 0, 0.34), (0.48, 0.34, 0.34)), rod(p, (-0.56, 0, 0.34), (0.56, 0, 0.34), 0.05), 0.2)


def mug(p, k):
    wall = torch.maximum(tube(p, 0, 0.8, 0.37), -tube(p, 0.06, 1.2, 0.32))
    q = torch.stack([p[:, 0], p[:, 2] - 0.4, p[:, 1]], 1)
    handle = torch.maximum(ring(q, (0.4, 0, 0), 0.22, 0.05), 0.35 - p[:, 0])
    return torch.minimum(wall, handle)


def mushroom(p, k):
    cap = torch.maximum(ellipsoid(p, (0, 0, 0.45), (0.5, 0.5, 0.42)), 0.43 - p[:, 2])
    return torch.minimum(cap, rod(p, (0, 0, 0.1), (0, 0, 0.5), 0.16, 0.12))


def orange(p, k):
    return ball(p, (0, 0, 0.44), 0.44)


def pear(p, k):
    body = melt(ball(p, (0, 0, 0.37), 0.38), ball(p, (0, 0, 0.82), 0.19), 0.35)
    return torch.minimum(body, rod(p, (0, 0, 0.9), (0.07, 0, 1.2), 0.022, 0.03))


DISTANCE = [apple, banana, book, bottle, candle, carrot, cherries, die, doughnut, egg, ice_cream, lemon, mug, mushroom, orange, pear]


# Colours at points of the surface: [n, 3] from 0 to 1.

def mix(a, b, t):
    a, b = (torch.as_tensor(c, dtype=torch.float32) for c in (a, b))
    t = t.clamp(0, 1)[:, None]
    return a * (1 - t) + b * t


def hue(h, strong, light):
    """Of any hue: h, strong, light: [n]."""
    wheel = (torch.stack([h, h - 1 / 3, h - 2 / 3], 1) % 1 * 6 - 3).abs().sub(1).clamp(0, 1)
    return light[:, None] * (1 - strong[:, None] * (1 - wheel))


def waves(p, f):
    """Slow irregular numbers about 0."""
    x, y, z = (p * f).unbind(1)
    return (torch.sin(x + 1.3 * torch.sin(1.7 * y)) + torch.sin(1.1 * y + 1.9 * torch.sin(z)) + torch.sin(0.9 * z + 1.2 * torch.sin(1.3 * x))) / 3


def colour(thing, p, k):
    name, z = NAMES[thing], p[:, 2]
    a, b, c, d = k.unbind(1)
    if name == "apple":
        skin = mix((0.70, 0.04, 0.06), (0.45, 0.62, 0.12), ((b > 0.6).float() * 0.9 + 0.35 * waves(p, 5) + 0.1))
        return torch.where((p[:, :2].norm(dim=1) < 0.07)[:, None] & (z > 0.55)[:, None], at(0.25, 0.15, 0.07), skin)
    if name == "banana":
        tip = ((p[:, 0].abs() - 0.47) * 12)
        return mix(mix((0.93, 0.76, 0.10), (0.75, 0.72, 0.15), b), (0.22, 0.14, 0.05), tip)
    if name == "book":
        pages = (p[:, 1] < 0.405) & (z > 0.03) & (z < 0.21) & ((p[:, 0].abs() > 0.57) | (p[:, 1] < -0.41))
        stripe = (p[:, 0].abs() < 0.35) & (p[:, 1].abs() < 0.14) & (z > 0.2)
        cover = torch.where(stripe[:, None], at(0.9, 0.87, 0.7), hue(a, 0.5 + 0.4 * b, 0.35 + 0.4 * c))
        return torch.where(pages[:, None], at(0.92, 0.89, 0.8) * (0.9 + 0.1 * torch.sin(z * 250))[:, None], cover)
    if name == "bottle":
        glass = mix((0.05, 0.25, 0.10), (0.28, 0.12, 0.03), (b > 0.5).float())
        label = torch.where(((z - 0.38).abs() < 0.16)[:, None], mix((0.93, 0.9, 0.8), (0.85, 0.75, 0.45), c), glass)
        return torch.where((z > 1.13)[:, None], at(0.65, 0.5, 0.25), label)
    if name == "candle":
        wax = mix((0.93, 0.89, 0.76), (0.65, 0.08, 0.08), (b > 0.6).float())
        return torch.where((z > 0.8)[:, None], at(1.0, 0.8, 0.35), torch.where((z > 0.753)[:, None], at(0.1, 0.1, 0.1), wax))
    if name == "carrot":
        root = at(0.92, 0.42, 0.06) * (0.9 + 0.1 * torch.sin(p[:, 0] * 45))[:, None]
        return torch.where((carrot_leaves(p) < 0.01)[:, None], mix((0.13, 0.45, 0.08), (0.3, 0.55, 0.12), b), root)
    if name == "cherries":
        return torch.where((cherry_stems(p) < 0.01)[:, None], at(0.3, 0.4, 0.1), mix((0.45, 0.01, 0.06), (0.75, 0.05, 0.08), b))
    if name == "die":
        q = p - at(0, 0, 0.4)
        pips = torch.zeros(len(p), dtype=torch.bool)
        for axis, spots in ((2, ((0, 0), (-1, -1), (1, 1), (-1, 1), (1, -1))), (0, ((0, 0), (-1, -1), (1, 1))), (1, ((-1, -1), (1, 1)))):
            others = q[:, [i for i in range(3) if i != axis]]
            for s in spots:
                pips |= (q[:, axis].abs() > 0.38) & ((others - 0.21 * at(*s)).norm(dim=1) < 0.078)
        body = torch.where((b > 0.7)[:, None], hue(a, c * 0 + 0.85, c * 0 + 0.7), at(0.92, 0.91, 0.87))
        return torch.where(pips[:, None], torch.where((b > 0.7)[:, None], at(0.95, 0.95, 0.95), at(0.04, 0.04, 0.05)), body)
    if name == "doughnut":
        angle = torch.atan2(p[:, 1], p[:, 0])
        glaze = mix((0.94, 0.55, 0.65), (0.28, 0.14, 0.07), (b > 0.5).float())
        bits = (torch.sin(angle * 37) * torch.sin(p[:, :2].norm(dim=1) * 60 + angle * 9) > 0.72) & (z > 0.25)
        glaze = torch.where(bits[:, None], hue((angle * 3) % 1, a * 0 + 0.6, a * 0 + 1), glaze)
        return torch.where((z > 0.17 + 0.04 * torch.sin(angle * 7))[:, None], glaze, at(0.78, 0.53, 0.25))
    if name == "egg":
        return mix((0.94, 0.92, 0.87), (0.78, 0.55, 0.38), b * 1.2 - 0.1)
    if name == "ice cream":
        angle = torch.atan2(p[:, 1], p[:, 0])
        wafer = at(0.82, 0.58, 0.28) * (1 - 0.35 * ((torch.sin(angle * 6 + z * 22) > 0.8) | (torch.sin(angle * 6 - z * 22) > 0.8)).float())[:, None]
        flavour = torch.where((b < 0.34)[:, None], at(0.96, 0.9, 0.72), torch.where((b < 0.67)[:, None], at(0.93, 0.6, 0.68), at(0.35, 0.2, 0.12)))
        return torch.where((z > 0.7)[:, None] & (ball(p, (0, 0, 0.9), 0.33) < 0.04)[:, None], flavour, wafer)
    if name == "lemon":
        return mix((0.95, 0.82, 0.12), (0.85, 0.85, 0.25), b) * (0.97 + 0.03 * waves(p, 60))[:, None]
    if name == "mug":
        outside = hue(a, b * 0.85, 0.45 + 0.5 * c)
        band = ((z - 0.6).abs() < 0.06) & (d > 0.5)
        return torch.where((p[:, :2].norm(dim=1) < 0.34)[:, None] & (z > 0.02)[:, None], at(0.93, 0.92, 0.9),
                           torch.where(band[:, None], at(0.95, 0.94, 0.9), outside))
    if name == "mushroom":
        dots = torch.sin(p[:, 0] * 13 + 1) * torch.sin(p[:, 1] * 13 + 0.5) > 0.55
        cap = torch.where((b > 0.45)[:, None], torch.where(dots[:, None], at(0.95, 0.93, 0.88), at(0.72, 0.06, 0.05)), mix((0.5, 0.3, 0.15), (0.75, 0.6, 0.45), c))
        return torch.where(((z > 0.435) & (p[:, :2].norm(dim=1) > 0.17))[:, None] | (z > 0.6)[:, None], cap, at(0.9, 0.86, 0.76))
    if name == "orange":
        stalk = (p[:, :2].norm(dim=1) < 0.05) & (z > 0.5)
        return torch.where(stalk[:, None], at(0.25, 0.35, 0.1), at(0.95, 0.47, 0.04) * (0.95 + 0.06 * waves(p, 70))[:, None])
    stalk = (z > 1.0) | ((p[:, :2].norm(dim=1) < 0.05) & (z > 0.97))
    skin = mix((0.70, 0.72, 0.18), (0.82, 0.60, 0.15), b) * (0.97 + 0.04 * waves(p, 40))[:, None]
    return torch.where(stalk[:, None], at(0.25, 0.15, 0.07), skin)


SHINE = {"apple": 0.35, "bottle": 0.6, "cherries": 0.6, "mug": 0.4, "die": 0.3, "doughnut": 0.2, "lemon": 0.15, "orange": 0.15, "pear": 0.15}
REACH = 1.45  # no thing is higher or, from its middle, wider


# A scene: things [(kind, (x, y), turn, size, k)], and everything else in numbers drawn from g.

def uniform(g, low, high):
    return low + (high - low) * torch.rand((), generator=g).item()


def random_scene(g, kinds, spread=0.12, size=(0.75, 1.15)):
    """One picture's worth: kinds stand about the middle, or apart when there are several."""
    places = [(uniform(g, -spread, spread), uniform(g, -spread, spread)) for _ in kinds]
    return {"things": [(kind, place, uniform(g, 0, 2 * math.pi), uniform(g, *size), torch.rand(4, generator=g)) for kind, place in zip(kinds, places)],
            "azimuth": uniform(g, 0, 2 * math.pi), "pitch": uniform(g, 0.2, 0.85), "distance": uniform(g, 2.9, 3.9), "roll": uniform(g, -0.08, 0.08),
            "light": (uniform(g, 0, 2 * math.pi), uniform(g, 0.5, 1.2)), "warm": uniform(g, -0.12, 0.12), "ambient": uniform(g, 0.3, 0.55),
            "bright": uniform(g, 0.75, 1.15), "table": int(uniform(g, 0, 4.999)), "table_hue": torch.rand(6, generator=g), "noise": uniform(g, 0.0, 0.03)}


def table_colour(scene, p):
    h = scene["table_hue"].expand(len(p), 6)
    base, other = hue(h[:, 0], 0.5 * h[:, 1], 0.3 + 0.6 * h[:, 2]), hue(h[:, 3], 0.5 * h[:, 4], 0.3 + 0.6 * h[:, 5])
    if scene["table"] == 0:  # wood
        t = torch.sin(p[:, 1] * 9 + 1.5 * waves(p, 1.5)) * 0.5 + 0.5
        return mix((0.42, 0.26, 0.14), (0.62, 0.42, 0.25), t * 0.8 + 0.2 * waves(p, 25))
    if scene["table"] == 1:  # squares
        return torch.where((((p[:, 0] * 2).floor() + (p[:, 1] * 2).floor()) % 2 == 0)[:, None], base, other)
    if scene["table"] == 2:  # stripes
        return torch.where((torch.sin(p[:, 0] * 8) > 0.3)[:, None], base, other)
    if scene["table"] == 3:  # stone
        t = (0.5 + 0.8 * waves(p, 4))[:, None]
        return base * (1 - 0.3 * t) + 0.1 * t
    return base


def distances(scene, p):
    """The nearest thing's distance and number, of points p: [n, 3]."""
    best, which = torch.full((len(p),), 1e3), torch.zeros(len(p), dtype=torch.long)
    for i, thing in enumerate(scene["things"]):
        q, k, size = own(thing, p)
        # Far away a ball about the thing is near enough.
        d = (q - at(0, 0, 0.5)).norm(dim=1) - 1.0
        near = d < 0.3
        d = d.clamp(min=0.2)
        if near.any():
            d[near] = DISTANCE[thing[0]](q[near], k[near])
        closer = d * size < best
        best, which = torch.where(closer, d * size, best), torch.where(closer, torch.full_like(which, i), which)
    return best, which


def own(thing, p):
    """Points as the thing sees them."""
    _, (x, y), turn, size, k = thing
    q = p - at(x, y, 0)
    c, s = math.cos(turn), math.sin(turn)
    q = torch.stack([c * q[:, 0] + s * q[:, 1], c * q[:, 1] - s * q[:, 0], q[:, 2]], 1) / size
    return q, k.expand(len(p), 4), size


def walk(scene, o, d, far, steps):
    """How far rays get, and the narrowest passage on the way as an angle."""
    t, narrow = torch.zeros(len(o)), torch.ones(len(o))
    moving = torch.arange(len(o))
    for _ in range(steps):
        dist, _ = distances(scene, o[moving] + t[moving, None] * d[moving])
        narrow[moving] = torch.minimum(narrow[moving], dist / (0.02 + 0.12 * t[moving]))
        t[moving] += dist * 0.85
        moving = moving[(dist > 1.5e-3) & (t[moving] < far[moving])]
        if not len(moving):
            break
    return t, narrow.clamp(0, 1)


def render(scene, height, width, g, samples=1):
    """Colours [3, height, width] from 0 to 1, and which thing each pixel shows: [height, width], -1 is none."""
    h, w = height * samples, width * samples
    ys, xs = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
    u, v = ((xs - w / 2) / h).flatten(), ((h / 2 - ys) / h).flatten()
    cr, sr = math.cos(scene["roll"]), math.sin(scene["roll"])
    u, v = cr * u - sr * v, sr * u + cr * v
    a, e, far = scene["azimuth"], scene["pitch"], scene["distance"]
    eye = at(math.cos(a) * math.cos(e), math.sin(a) * math.cos(e), math.sin(e)) * far + at(0, 0, 0.4)
    ahead = (at(0, 0, 0.4) - eye) / far
    right = at(-math.sin(a), math.cos(a), 0)
    up = torch.linalg.cross(right, ahead)
    d = torch.nn.functional.normalize(ahead * 1.7 + u[:, None] * right + v[:, None] * up, dim=1)
    o = eye.expand(len(d), 3)

    on_table = torch.where(d[:, 2] < -1e-3, -eye[2] / d[:, 2].clamp(max=-1e-3), torch.tensor(40.0))
    t, _ = walk(scene, o, d, on_table.clamp(max=12.0), 60)
    seen = t < on_table.clamp(max=12.0)
    p = o + torch.where(seen, t, on_table)[:, None] * d
    _, which = distances(scene, p)

    normal, albedo, shine, glow = at(0, 0, 1).repeat(len(p), 1), table_colour(scene, p), torch.zeros(len(p)), torch.zeros(len(p))
    for i, thing in enumerate(scene["things"]):
        mine = (seen & (which == i)).nonzero()[:, 0]
        if not len(mine):
            continue
        q, k, _ = own(thing, p[mine])
        corners = at(1, -1, -1, -1, -1, 1, -1, 1, -1, 1, 1, 1).view(4, 3)
        n = sum(c * distances(scene, p[mine] + 2e-3 * c)[0][:, None] for c in corners)
        normal[mine] = torch.nn.functional.normalize(n, dim=1)
        albedo[mine] = colour(thing[0], q, k)
        shine[mine] = SHINE.get(NAMES[thing[0]], 0.05)
        if NAMES[thing[0]] == "candle":
            glow[mine] = (q[:, 2] > 0.8).float()
    light = at(math.cos(scene["light"][0]) * math.cos(scene["light"][1]), math.sin(scene["light"][0]) * math.cos(scene["light"][1]), math.sin(scene["light"][1]))
    above = p + normal * 0.02
    shade = torch.ones(len(p))
    near = ((p[:, :2].norm(dim=1) < 4.5) & (d[:, 2] < 0.3)).nonzero()[:, 0]
    _, shade[near] = walk(scene, above[near], light.expand(len(near), 3), torch.full((len(near),), 3.5), 24)
    open_ = torch.ones(len(p))
    for r in (0.08, 0.25):
        open_[near] -= 0.45 * ((r - distances(scene, p[near] + normal[near] * r)[0]).clamp(min=0) / r)
    half = torch.nn.functional.normalize(light - d, dim=1)
    diffuse = (normal @ light).clamp(min=0) * shade
    glint = (normal * half).sum(1).clamp(min=0) ** 50 * shade * shine
    tint = at(1 + scene["warm"], 1, 1 - scene["warm"])
    lit = albedo * (scene["ambient"] * open_ * (0.8 + 0.2 * normal[:, 2]))[:, None] + albedo * diffuse[:, None] * 0.85 * tint + glint[:, None]
    lit = torch.where(glow[:, None] > 0, albedo * 1.3, lit)
    wall = mix(hue(scene["table_hue"][3:4], scene["table_hue"][4:5] * 0.3, 0.5 + 0.4 * scene["table_hue"][5:6])[0].tolist(), (0.9, 0.9, 0.9), 0.5 + d[:, 2])
    fog = torch.where(seen, torch.zeros(len(p)), ((p[:, :2].norm(dim=1) - 3) / 5).clamp(0, 1))
    fog = torch.where((d[:, 2] >= -1e-3) & ~seen, torch.ones(len(p)), fog)[:, None]
    image = (lit * (1 - fog) + wall * fog) * scene["bright"]
    image = image.T.reshape(3, h, w).clamp(0, 1) ** (1 / 1.25)
    if samples > 1:
        image = torch.nn.functional.avg_pool2d(image[None], samples)[0]
    image = image + scene["noise"] * torch.randn(image.shape, generator=g)
    shown = torch.where(seen, which, torch.full_like(which, -1)).view(h, w)[samples // 2::samples, samples // 2::samples]
    return image.clamp(0, 1), shown


def kept(file, draw):
    """What draw() gives; with a file, drawn once and read from there afterwards."""
    if file and file.exists():
        return torch.load(file)
    drawn = draw()
    if file:
        torch.save(drawn, file)
    return drawn
