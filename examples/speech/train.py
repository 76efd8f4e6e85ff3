# SPDX-License-Identifier: Apache-2.0
"""Makes speech.pt and talk.wav: where in a recording somebody speaks. The recordings are synthesized: vowels as harmonics
under formants (D. Klatt, Software for a cascade/parallel formant synthesizer, 1980), hissing sounds, pauses, under noise.
Needs torch; takes two minutes.
"""
import math
import pathlib
import wave

import torch
from torch import Tensor, nn

HERE = pathlib.Path(__file__).parent
RATE, HOP = 8000, 80  # samples a second; a frame is 10 ms
# Three formants of vowels, in hertz.
VOWELS = torch.tensor([[730, 1090, 2440], [270, 2290, 3010], [300, 870, 2240], [530, 1840, 2480], [570, 840, 2410], [440, 1020, 2240], [490, 1350, 1690.0]])


def uniform(g, low, high):
    return low + (high - low) * torch.rand((), generator=g).item()


def phrase(seconds, g):
    """Somebody says something without a pause: syllables of a vowel, some of which begin with a hiss."""
    n = int(seconds * RATE)
    t = torch.arange(n) / RATE
    pitch, size = uniform(g, 85, 240), uniform(g, 0.9, 1.2)
    syllables = max(1, round(seconds * uniform(g, 3.5, 5.5)))
    at = (t / seconds * syllables)
    i = at.long().clamp(max=syllables - 1)
    part = at - i
    vowels = VOWELS[torch.randint(0, len(VOWELS), (syllables + 1,), generator=g)] * size
    loud = 0.5 + torch.rand(syllables, generator=g)[i]
    blend = (part.clamp(0.6, 1) - 0.6)[:, None] / 0.8
    formants = vowels[i] * (1 - blend) + vowels[i + 1] * blend
    f0 = pitch * (1 + 0.12 * torch.sin(2 * math.pi * t * uniform(g, 0.3, 1.2) + uniform(g, 0, 6)) + 0.01 * torch.sin(2 * math.pi * 5.5 * t))
    phase = 2 * math.pi * torch.cumsum(f0, 0) / RATE
    voice = torch.zeros(n)
    for k in range(1, int(3600 / pitch) + 1):
        f = k * f0
        gain = (1 / (1 + ((f[:, None] - formants) / torch.tensor([60.0, 90.0, 140.0])) ** 2) * torch.tensor([1.0, 0.6, 0.35])).sum(1)
        voice += (gain + 0.01) / k ** 0.5 * torch.sin(k * phase) * (f < 3800)
    voice *= loud * torch.sin(math.pi * part.clamp(0.02, 0.98)) ** 0.6
    hiss = torch.randn(n, generator=g)
    hiss = hiss - torch.nn.functional.pad(hiss[:-1], (1, 0))
    hissing = (torch.rand(syllables, generator=g) < 0.35).float()[i] * (part < 0.3) * torch.sin(math.pi * (part / 0.3).clamp(0, 1))
    return voice / voice.std() + 0.35 * hiss * hissing


def noise(n, g):
    """White, low or of a hum, with a few clicks."""
    x = torch.randn(n, generator=g)
    low = torch.fft.rfft(x) / (1 + torch.arange(n // 2 + 1) * RATE / n / uniform(g, 50, 1500))
    low = torch.fft.irfft(low, n)
    t = torch.arange(n) / RATE
    hum = sum(torch.sin(2 * math.pi * 50 * k * t) / k for k in (1, 2, 3, 5))
    y = uniform(g, 0, 1) * x + uniform(g, 0, 1) * low / low.std() + uniform(g, -1, 0.6) * hum
    for _ in range(int(uniform(g, 0, 4))):
        at = int(uniform(g, 0, n - 200))
        y[at:at + 200] += 6 * torch.randn(200, generator=g) * torch.exp(-torch.arange(200) / 30)
    return y / y.std()


def recording(seconds, g, spoken=None, decibels=None):
    """Samples from -1 to 1 and, for each frame, whether somebody speaks. spoken: [(from, to)] in seconds, else by chance."""
    n = int(seconds * RATE)
    if spoken is None:
        spoken, t = [], uniform(g, -0.5, 1.0)
        while t < seconds:
            end = t + uniform(g, 0.3, 1.6)
            spoken.append((max(0.0, t), min(end, seconds)))
            t = end + uniform(g, 0.3, 1.5)
    x, label = torch.zeros(n), torch.zeros(n // HOP + 1)
    for start, end in spoken:
        if end - start > 0.15:
            p = phrase(end - start, g)
            x[int(start * RATE):int(start * RATE) + len(p)] += p
            label[round(start * RATE / HOP):round(end * RATE / HOP)] = 1
    level = uniform(g, 3, 25) if decibels is None else decibels
    x = x + noise(n, g) * 10 ** (-level / 20)
    return x * uniform(g, 0.02, 0.3) / x.std(), label


class Speech(nn.Module):
    """From samples [N, T] at 8 kHz to how likely somebody speaks in each frame of 10 ms, [N, T / 80 + 1]."""

    def __init__(self, bands: int = 20, width: int = 24):
        super().__init__()
        edges = 80 * (3800 / 80) ** (torch.arange(bands + 2) / (bands + 1))  # evenly spaced to the ear, about
        f = torch.arange(129) * RATE / 256
        rise = (f - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
        fall = (edges[2:, None] - f) / (edges[2:] - edges[1:-1])[:, None]
        self.register_buffer("window", torch.hann_window(256))
        self.register_buffer("bands", torch.minimum(rise, fall).clamp(min=0) + 1e-3)
        self.near = nn.Conv1d(bands, width, 5, padding=2)
        self.gru = nn.GRU(width, 12, batch_first=True, bidirectional=True)
        self.speech = nn.Linear(24, 1)

    def forward(self, samples: Tensor) -> Tensor:
        s = torch.stft(samples, 256, 80, window=self.window, center=True, return_complex=True)
        x = torch.log(torch.matmul(self.bands, s.real ** 2 + s.imag ** 2) + 1e-8)
        x = (x - x.mean(2, keepdim=True)) / 4                 # no matter how loud
        y, _ = self.gru(torch.relu(self.near(x)).transpose(1, 2))
        return torch.sigmoid(self.speech(y).squeeze(2))


def main():
    torch.manual_seed(0)
    g = torch.Generator().manual_seed(0)
    made = [recording(3.0, g) for _ in range(320)]
    x, y = torch.stack([m[0] for m in made]), torch.stack([m[1] for m in made])
    m = Speech()
    epochs, batch = 12, 16
    optimizer = torch.optim.AdamW(m.parameters(), 5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, epochs * 18)
    for epoch in range(epochs):
        order = torch.randperm(288, generator=g)
        for i in range(18):
            some = order[i * batch:(i + 1) * batch]
            loss = nn.functional.binary_cross_entropy(m(x[some]), y[some])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(m.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            right = ((m(x[288:]) > 0.5) == (y[288:] > 0.5)).float().mean()
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}, {right:.1%} of the frames of new recordings right", flush=True)
    m.eval()
    torch.jit.script(m).save(str(HERE / "speech.pt"))
    talk, _ = recording(4.0, torch.Generator().manual_seed(77), spoken=[(0.6, 1.5), (2.1, 3.4)], decibels=12)
    with wave.open(str(HERE / "talk.wav"), "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(RATE)
        w.writeframes((talk.clamp(-1, 1) * 32767).round().to(torch.int16).numpy().tobytes())


if __name__ == "__main__":
    main()
