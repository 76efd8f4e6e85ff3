# SPDX-License-Identifier: Apache-2.0
"""Makes policy.pt: an LSTM that balances a pole on a cart and sees positions only, no speeds. It imitates a linear regulator
that sees everything (S. Ross, G. Gordon, J. Bagnell, A reduction of imitation learning, 2011). Needs torch; takes a minute.
"""
import pathlib
from typing import Tuple

import torch
from torch import Tensor, nn

HERE = pathlib.Path(__file__).parent
STEP = 0.02          # seconds
MOST = 10.0          # newtons


def move(s, force):
    """One step of the cart and its pole (A. Barto, R. Sutton, C. Anderson, 1983); s: [n, 4], place, speed, angle, its speed."""
    gravity, cart, pole, half = 9.8, 1.0, 0.1, 0.5
    x, v, a, w = s.unbind(1)
    sin, cos = torch.sin(a), torch.cos(a)
    push = (force + pole * half * w * w * sin) / (cart + pole)
    turn = (gravity * sin - cos * push) / (half * (4 / 3 - pole * cos * cos / (cart + pole)))
    slide = push - pole * half * turn * cos / (cart + pole)
    v, w = v + STEP * slide, w + STEP * turn
    return torch.stack([x + STEP * v, v, a + STEP * w, w], 1)


def regulator():
    """Gains of the linear quadratic regulator, by iterating the Riccati equation of the dynamics about the upright pole."""
    origin = torch.zeros(1, 4, dtype=torch.float64)
    none = torch.zeros(1, dtype=torch.float64)
    a, b = torch.autograd.functional.jacobian(lambda s, f: move(s, f)[0], (origin, none))
    a, b = a[:, 0], b
    q, r = torch.diag(torch.tensor([1.0, 0.1, 10.0, 0.1], dtype=torch.float64)), torch.tensor([[0.1]], dtype=torch.float64)
    p = q
    for _ in range(2000):
        k = torch.linalg.solve(r + b.T @ p @ b, b.T @ p @ a)
        p = q + a.T @ p @ (a - b @ k)
    return k[0].float()


class Policy(nn.Module):
    """From what is seen, [N, 2] of place and angle, to a force in newtons, [N]; the state remembers."""

    def __init__(self, width: int = 24):
        super().__init__()
        self.width = width
        self.cell = nn.LSTMCell(2, width)
        self.force = nn.Linear(width, 1)

    @torch.jit.export
    def start(self) -> Tuple[Tensor, Tensor]:
        return torch.zeros(1, self.width), torch.zeros(1, self.width)

    def forward(self, seen: Tensor, state: Tuple[Tensor, Tensor]) -> Tuple[Tensor, Tuple[Tensor, Tensor]]:
        h, c = self.cell(seen * torch.tensor([1.0, 5.0]), state)
        return 10.0 * torch.tanh(self.force(h)).squeeze(1), (h, c)


def main():
    torch.manual_seed(0)
    gains = regulator()
    m = Policy()
    optimizer = torch.optim.Adam(m.parameters(), 4e-3)
    rounds, n = 500, 48
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, rounds)
    for i in range(rounds):
        s = (torch.rand(n, 4) - 0.5) * torch.tensor([2.0, 1.0, 0.4, 1.0])
        state = (torch.zeros(n, m.width), torch.zeros(n, m.width))
        drives = torch.rand(n) < min(0.9, i / 150)  # where the network drives itself
        loss = torch.zeros(())
        for t in range(100):
            wanted = (-(s @ gains)).clamp(-MOST, MOST)
            force, state = m(s[:, [0, 2]], state)
            if t >= 2:  # nothing is known of speeds before
                loss = loss + ((force - wanted) ** 2 / (1 + wanted.abs())).mean()
            with torch.no_grad():
                s = move(s, torch.where(drives, force, wanted))
                if t % 25 == 24:
                    s[:, 3] += torch.randn(n) * 0.4  # a push
                s = s.clamp(-3, 3)
        optimizer.zero_grad()
        (loss / 98).backward()
        nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if i % 50 == 49:
            print(f"round {i + 1}: {loss.item() / 98:.4f}", flush=True)
    m.eval()
    with torch.no_grad():
        s, state, worst = torch.tensor([[0.3, 0.0, 0.1, 0.0]]), m.start(), 0.0
        for t in range(2000):
            force, state = m(s[:, [0, 2]], state)
            s = move(s, force)
            if t % 250 == 249:
                s[:, 3] += 0.5
            worst = max(worst, s[0, 2].abs().item())
    print(f"forty seconds: the pole was never more than {worst:.2f} from upright, the cart ended at {s[0, 0].item():.2f} m")
    torch.jit.script(m).save(str(HERE / "policy.pt"))


if __name__ == "__main__":
    main()
