"""A language model from Python: three networks learn a rhyme together, and write on.

python examples/language.py
"""

import manyfit as mf
from manyfit.tasks.corpus import corpus

VERSE = "{n} green bottles hanging on the wall,\nand if one green bottle should accidentally fall,\n"
rhyme = "".join(VERSE.format(n=n) for n in range(99, 0, -1))

text = corpus(rhyme, context=32)  # the last tenth is tested, in order
experiment = mf.Experiment(
    mf.objectives.NextToken(
        mf.models.Decoder(width=32, depth=1, heads=2, norm="rms", positions="rotary"),
        vocabulary=text.vocabulary,
        context=text.context,
        optimizer=mf.optim.AdamW(learning_rate=1e-2, schedule=mf.optim.Cosine(warmup=0.05)),
    ),
    text,
    folds=list(text.splits),
    seeds=3,
    epochs=12,
    batch_size=16,
    patience=None,
)
result = experiment.run()
print(result)
print({name: round(score.mean, 3) for name, score in result.scores.items()})

written = result.best.generate("12 green", length=80, temperature=0.3)[0]
print(written.prompt + written.text)
place = int(written.disagreement.argmax())
print(f"the networks disagreed most, {written.disagreement[place]:.3f} nats, at letter {place}")
