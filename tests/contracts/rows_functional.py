"""Rows of the functions of `nn.functional` that no layer stands for, or that take more than their layer does."""

from tests.contracts.calls import calls, of, spread

ORACLE_ROWS = [
    *calls(
        """
        lib.nn.functional.normalize(x)
        lib.nn.functional.normalize(x, p=1.0, dim=0)
        lib.nn.functional.normalize(x, p=3.0, dim=-1, eps=2.0)
        lib.nn.functional.normalize(x, dim=(0, 1))
        lib.nn.functional.normalize(zero)
        lib.nn.functional.pad(x, (1, 2))
        lib.nn.functional.pad(x, (0, 0, 2, 1), value=3.5)
        lib.nn.functional.pad(x, (-1, 1, 0, -2))
        lib.nn.functional.pad(whole, (1, 1), value=7)
        lib.nn.functional.pad(x, ())
        lib.nn.functional.pad(x, (2, 1), mode="reflect")
        lib.nn.functional.pad(x, (2, 3), mode="replicate")
        lib.nn.functional.pad(x, (2, 3), mode="circular")
        lib.nn.functional.pad(x, (4, 0), mode="reflect")
        lib.nn.functional.pad(x, (1, 2, 3))
        lib.nn.functional.mse_loss(x, y, weight=w)
        lib.nn.functional.mse_loss(x, y, reduction="sum", weight=w)
        lib.nn.functional.mse_loss(x, y, reduction="none", weight=w)
        lib.nn.functional.l1_loss(x, y, weight=w)
        lib.nn.functional.huber_loss(x, y, delta=0.5, weight=w)
        lib.nn.functional.linear(x, v)
        lib.nn.functional.dropout(x, training=False)
        lib.nn.functional.softmax(narrow, dim=0, dtype=lib.float64)
        lib.nn.functional.softmin(narrow, dim=1, dtype=lib.float64)
        lib.nn.functional.log_softmax(narrow, 1, dtype=lib.float64)
        lib.nn.functional.relu(whole)
        lib.nn.functional.elu(broken)
        lib.nn.functional.elu(broken, 0.5)
        lib.nn.functional.celu(broken, 2.0)
        lib.nn.functional.selu(broken)
        lib.nn.functional.threshold(x, 0.5, 9.0)
        lib.nn.functional.kl_div(x, y[:1].abs().detach(), reduction="sum")
        """,
        x=spread(4, 3, seed=21),
        y=spread(4, 3, seed=22),
        w=spread(4, 3, low=0.5, high=2.0, seed=23),
        v=spread(3, seed=24),
        narrow=spread(4, 3, dtype="float32", seed=20),
        zero=of([[0.0, 0.0], [3.0, 4.0]]),
        whole=of([[1, -2, 3]], "int64"),
        broken=of([float("nan"), float("inf"), float("-inf"), 0.0, -1.0, 2.0]),
    ),
    *calls(
        """
        lib.nn.functional.mse_loss(narrow, x)
        lib.nn.functional.mse_loss(x, narrow)
        lib.nn.functional.mse_loss(narrow, x, weight=narrow)
        lib.nn.functional.mse_loss(half, brief)
        lib.nn.functional.mse_loss(half, x, reduction="none")
        lib.nn.functional.mse_loss(brief, whole)
        lib.nn.functional.l1_loss(narrow, x)
        lib.nn.functional.l1_loss(narrow, half, reduction="sum")
        lib.nn.functional.l1_loss(narrow, whole)
        lib.nn.functional.smooth_l1_loss(narrow, x)
        lib.nn.functional.smooth_l1_loss(brief, half, beta=0.5)
        lib.nn.functional.smooth_l1_loss(narrow, x, beta=0.0)
        lib.nn.functional.smooth_l1_loss(x, whole)
        """,
        x=spread(2, 3, seed=29),
        narrow=spread(2, 3, dtype="float32", seed=30),
        half=spread(2, 3, dtype="float16", seed=31),
        brief=spread(2, 3, dtype="bfloat16", seed=32),
        whole=of([[1, -2, 3], [0, 0, 4]], "int64"),
    ),
    *calls(
        """
        lib.nn.functional.one_hot(k)
        lib.nn.functional.one_hot(k, 5)
        lib.nn.functional.one_hot(k, num_classes=3)
        lib.nn.functional.one_hot(k, 2)
        lib.nn.functional.one_hot(k - 1)
        """,
        k=of([[0, 2], [1, 1]], "int64"),
    ),
    *calls(
        """
        lib.nn.utils.parameters_to_vector([p, q])
        lib.nn.utils.parameters_to_vector([q])
        """,
        p=spread(2, 3, seed=25),
        q=spread(4, seed=26),
    ),
    *calls(
        """
        lib.nn.init.constant_(m, 2.5)
        lib.nn.init.ones_(m)
        lib.nn.init.zeros_(m)
        lib.nn.init.eye_(m)
        lib.nn.init.calculate_gain("tanh")
        lib.nn.init.calculate_gain("relu")
        lib.nn.init.calculate_gain("leaky_relu")
        lib.nn.init.calculate_gain("leaky_relu", 0.3)
        lib.nn.init.calculate_gain("selu")
        """,
        m=of([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
    ),
]
