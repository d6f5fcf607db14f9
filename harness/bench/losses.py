"""The benchmark of the losses."""

from collections.abc import Mapping
from functools import cached_property

from torch import Tensor, nn

from harness.bench.base import BENCHMARKS, Benchmark, Row
from harness.bench.clocks import Work, clock_of
from harness.bench.measure import compare
from harness.bench.peers import PEERS, Peer, PeerLoss
from harness.bench.scene import Scene
from harness.losses import ALIASES, LOSSES, CombinedLoss, LossSpec, load_entry_points, parse_loss

CE, PEER = "ce", "peer"
MOST_AGAINST_CE = 1.3
"""Target of the boundary family with cached maps."""
TRANSFORMS_THE_PREDICTION = frozenset({"hausdorff"})
"""Of the boundary family, but no cache can hold all of their maps."""

_IMAGES, _CLASSES, _SIZE = 8, 4, 256


@BENCHMARKS.register("losses")
class Losses(Benchmark):
    """Time of a step (forward and backward) of every loss at 8x4x256x256 in float32, needs precomputed.

    Every registered loss and every short name of a sum, as ``parse_loss(name).build()`` gives it to a
    training, against our CE and against the equivalent in MONAI (or torch).
    """

    baselines = (CE, PEER)

    def names(self) -> list[str]:
        """Return the registered losses and the short names of sums."""
        load_entry_points()
        return [*LOSSES, *sorted(ALIASES)]

    def row(self, name: str) -> Row:
        """Time one loss."""
        spec = parse_loss(name)
        ours, ce = self._step_of(spec.build()), self._step_of(parse_loss(CE).build())
        ours()
        others = {CE: ce}
        peer = PEERS.get(name)
        absence, failure = "", ""
        if peer is not None and not peer.installed:
            absence = "not installed"
        elif peer is not None:
            step = _step(self.scene, peer.build(self.scene.n_classes), {})
            try:
                step()
                others[PEER] = step
            except Exception as error:  # somebody else's; ours can still be timed
                absence, failure = "failed", f"{type(error).__name__}: {error}"
        return Row(
            name,
            compare(ours, others, clock_of(self.options.device), self.options.settings),
            targets=_targets(name, spec, peer),
            peers={PEER: absence or (peer.title if peer else "")},
            note="" if peer is None else ": ".join(filter(None, (peer.title, failure or peer.note))),
        )

    @cached_property
    def scene(self) -> Scene:
        """The batch; every row has the same."""
        size = self.options.size or _SIZE
        return Scene.of((_IMAGES, _CLASSES, size, size), self.options.device)

    def _step_of(self, loss: CombinedLoss) -> Work:
        loss.set_epoch(0, 1)
        return _step(self.scene, loss.to(self.options.device), self.scene.needs(loss.needs))


def _step(scene: Scene, loss: nn.Module | PeerLoss, needs: Mapping[str, Tensor]) -> Work:
    """Return what a training does with a loss in one step, from logits to their gradient."""

    def step() -> None:
        scene.logits.grad = None
        loss(scene.logits, scene.labels, **needs).backward()

    return step


def _targets(name: str, spec: LossSpec, peer: Peer | None) -> dict[str, float]:
    targets = {}
    cached = any("distance_maps" in need for need in spec.needs)
    if spec.family == "boundary" and cached and name not in TRANSFORMS_THE_PREDICTION:
        targets[CE] = MOST_AGAINST_CE
    if peer is not None and peer.at_most is not None:
        targets[PEER] = peer.at_most
    return targets
