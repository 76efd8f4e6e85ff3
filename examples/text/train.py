# SPDX-License-Identifier: Apache-2.0
"""Makes intents.pt: what a sentence to an assistant wants. The tokenizer is part of the module. Needs torch; takes seconds."""
import itertools
import pathlib
import random
from typing import Dict, List

import torch
from torch import Tensor, nn

HERE = pathlib.Path(__file__).parent

# Sentences are made of these: {x} stands for one of the words of x.
WORDS = {
    "time": "six|seven|eight|half past nine|noon|ten o'clock|a quarter to five|6:30|midnight|three",
    "day": "today|tomorrow|on monday|on friday|this weekend|tonight|this evening|in the morning|next week",
    "place": "berlin|london|rome|oslo|the mountains|the coast|my town|madrid|outside|paris",
    "room": "the kitchen|the bedroom|the hall|the living room|the garage|the bathroom|my room|the garden",
    "food": "milk|eggs|bread|butter|apples|coffee|cheese|two lemons|some pasta|rice|tea",
    "music": "jazz|a song|some music|the radio|piano music|my playlist|something quiet|rock|an album by the quartet",
    "please": "please|now|for me|would you|thanks||||",
    "ask": "can you|could you|please|hey||||",
}
INTENTS = {
    "weather": "will it rain {day}|how warm will it be {day} in {place}|do i need an umbrella {day}|what is the weather in {place}|is it cold in {place}|"
               "is there snow in {place} {day}|how windy is it {day}|weather forecast for {place} {day}|will the sun shine {day}|what's the temperature in {place}",
    "alarm": "{ask} wake me up at {time} {day}|set an alarm for {time} {please}|{ask} wake me at {time}|i have to get up at {time} {day}|alarm at {time} {day}|"
             "don't let me sleep past {time}|cancel my alarm {day}|remind me to get up at {time}",
    "music": "{ask} play {music} {please}|i want to hear {music}|put on {music} {please}|stop the music|next song {please}|louder {please}|turn the volume down|"
             "{ask} play {music} in {room}|i'd like to listen to {music}|skip this song",
    "lights": "{ask} turn on the lights in {room}|lights off in {room} {please}|it is too dark in {room}|switch off the lamp in {room}|dim the lights in {room} {please}|"
              "{ask} make {room} brighter|turn the lamp off|it's too bright in {room}|lights on {please}",
    "shopping": "add {food} to my list|we need {food} and {food}|{ask} order {food} {please}|put {food} on the shopping list|buy {food} {day}|we are out of {food}|"
                "what is on my shopping list|remove {food} from the list|i want to buy {food}",
    "talk": "hello there|how are you {day}|good morning|tell me a joke {please}|what is your name|who made you|thank you very much|you are funny|nice to meet you|"
            "good night|what can you do|see you {day}|are you there",
}


def sentence(intent, r):
    text = r.choice(INTENTS[intent].split("|"))
    while "{" in text:
        start, end = text.index("{"), text.index("}")
        text = text[:start] + r.choice(WORDS[text[start + 1:end]].split("|")) + text[end + 1:]
    text = " ".join(text.split())
    return r.choice([text, text, text.capitalize(), text + "?", text + "!", text.upper()])


class Intents(nn.Module):
    """Scores [intents] of a sentence."""

    def __init__(self, vocabulary: Dict[str, int], intents: int, width: int = 16):
        super().__init__()
        self.vocabulary = vocabulary
        self.embedding = nn.Embedding(len(vocabulary) + 1, width)
        self.pairs = nn.Conv1d(width, 2 * width, 2)
        self.scores = nn.Linear(2 * width, intents)

    @torch.jit.export
    def tokens(self, text: str) -> List[str]:
        """Lower case; words are letters and digits, an apostrophe within a word belongs to it."""
        words: List[str] = []
        word = ""
        for c in text.lower() + " ":
            if c.isalnum() or (c == "'" and word != ""):
                word += c
            elif word != "":
                words.append(word)
                word = ""
        return words

    @torch.jit.export
    def ids(self, text: str) -> List[int]:
        """Numbers of the words, 0 for an unknown one; at least two, for the pairs."""
        numbers: List[int] = []
        for word in self.tokens(text):
            numbers.append(self.vocabulary[word] if word in self.vocabulary else 0)
        while len(numbers) < 2:
            numbers.append(0)
        return numbers

    def forward(self, text: str) -> Tensor:
        x = self.embedding(torch.tensor(self.ids(text)))  # [words, width]
        x = torch.relu(self.pairs(x.t().unsqueeze(0)))    # of neighbours: [1, 2 * width, words - 1]
        return self.scores(x.amax(2)).squeeze(0)


def main():
    torch.manual_seed(0)
    r = random.Random(0)
    names = list(INTENTS)
    some = [(sentence(n, r), i) for _ in range(200) for i, n in enumerate(names)]
    tokens = Intents({}, 1).tokens
    words = sorted(set(itertools.chain.from_iterable(tokens(s) for s, _ in some)))
    m = Intents({w: i + 1 for i, w in enumerate(words)}, len(names))
    optimizer = torch.optim.Adam(m.parameters(), 5e-3)
    for step in range(300):
        batch = [some[r.randrange(len(some))] for _ in range(32)]
        # Now and then a word is unknown, so that 0 learns to say nothing.
        texts = [" ".join("zzz" if r.random() < 0.1 else w for w in tokens(s)) for s, _ in batch]
        loss = nn.functional.cross_entropy(torch.stack([m(t) for t in texts]), torch.tensor([i for _, i in batch]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    m.eval()
    new = [(sentence(n, r), i) for _ in range(50) for i, n in enumerate(names)]
    right = sum(m(s).argmax().item() == i for s, i in new) / len(new)
    print(f"{len(words)} words, loss {loss.item():.3f}, {right:.1%} of {len(new)} other sentences right")
    torch.jit.script(m).save(str(HERE / "intents.pt"), _extra_files={"labels.txt": "\n".join(names) + "\n"})


if __name__ == "__main__":
    main()
