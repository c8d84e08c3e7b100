"""The studies that come with Pullback."""

from pullback.train.config import Config, OptimizerConfig, ScheduleConfig, TrainingConfig
from pullback.train.networks import ModelConfig
from pullback.train.study import Study, Variant

_HE, _RESIDUAL, _NORM = {"activation": "relu", "init": "he"}, {"residual": True}, {"norm": "batch"}
_CLIP = {"clip_norm": 1.0}

STUDIES: dict[str, Study] = {
    "deep-cures": Study(
        question="50 sigmoid layers do not learn the digits: where is the gradient, and what brings it back?",
        base=Config(
            name="deep-cures",
            model=ModelConfig(hidden=(64,) * 50, activation="sigmoid"),
            training=TrainingConfig(epochs=4, batch_size=64),
            optimizer=OptimizerConfig("sgd", lr=0.02, options={"momentum": 0.9}),
            schedule=ScheduleConfig("constant"),
        ),
        variants={
            "sigmoid": Variant("sigmoid alone", {}),
            "relu": Variant("ReLU with He", {"model": _HE}),
            "residual": Variant("residuals", {"model": _RESIDUAL}),
            "norm": Variant("batch norm", {"model": _NORM}),
            "clip": Variant("clipping", {"training": _CLIP}),
            "relu-clip": Variant("ReLU, He, clipping", {"model": _HE, "training": _CLIP}),
            "all": Variant("all together", {"model": {**_HE, **_RESIDUAL, **_NORM}, "training": _CLIP}),
        },
    )
}
