"""Training with the Defensive Quantization penalty, resumable after a kill at any moment.

What happens at step k is decided by the recipe and k alone: the images by `batches`, the attack on
them, if the recipe has one, by the seed and the step. So a training that was killed goes on from
its last checkpoint as if nothing had happened.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from dqviz.attacks import AttackError
from dqviz.data import ImageData, load_data
from dqviz.defense.adversary import attacked
from dqviz.defense.batches import ATTACK, CALIBRATION_IMAGES, Batches, seed_of
from dqviz.defense.checkpoint import damaged, read_checkpoint, write_checkpoint
from dqviz.defense.last_good import LastGood
from dqviz.defense.norms import NormWatch
from dqviz.defense.operator_penalty import OperatorPenalty
from dqviz.defense.optimizer import learning_rate, parameter_groups
from dqviz.defense.penalty import Layer, orthogonality_penalty, penalized_layers
from dqviz.defense.precision import Precision, choose_precision
from dqviz.defense.quantized_layers import hold_steps_positive, put_quantizers, take_quantizers
from dqviz.defense.recipe import Recipe
from dqviz.defense.start import start_network
from dqviz.defense.trained import Diverged, Progress, Trained, Watch
from dqviz.models.normalize import Classifier

CHECKPOINT_SECONDS = 30.0
AVERAGE = 0.98
"""Loss and accuracy are reported as running averages that keep this share at every step."""


def train_network(
    recipe: Recipe,
    folder: Path,
    *,
    data: ImageData | None = None,
    report: Callable[[Progress], None] | None = None,
    watch: Watch | None = None,
) -> Trained:
    """The trained network of a recipe; a killed run in `folder` is gone on with.

    Args:
        recipe: what to train.
        folder: where `training.pt`, the checkpoint of an unfinished run, lies.
        data: the training images, where they are already loaded.
        report: called about once a second; may raise to stop, and nothing is lost.
        watch: called likewise with the network, which it may look at and must leave as it is.

    Raises:
        Diverged: if the loss is no longer finite; it has the last good network.
        TrainError: if the checkpoint is damaged or of another recipe, the data set is smaller than
            a batch, or the images than the crop.
    """
    data = load_data(recipe.data) if data is None else data
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    run = _Run(recipe, folder, data, device)
    run.resume()
    try:
        run.go(report, watch)
    except Diverged as error:
        if run.good.state is not None:
            run.model.load_state_dict(run.good.state)
            stopped = f"diverged at step {run.step} of {run.steps}, weights of step {run.good.step}"
            error.last_good = dataclasses.replace(run.trained(), stopped=stopped)
        raise
    return run.trained()


class _Run:
    """One training: the network, its optimizer, and the step it is at."""

    def __init__(self, recipe: Recipe, folder: Path, data: ImageData, device: torch.device) -> None:
        self.recipe, self.folder, self.device = recipe, folder, device
        self.batches = Batches(recipe, data, device)
        self.model: nn.Module = start_network(recipe, classes=len(data.classes))
        # Channels last took 11 to 26 % off a step in float32 and in bfloat16, with AVX2 alone and
        # with AMX; so it is not measured anew on each machine, as the precision is.
        self.model.to(device).to(memory_format=torch.channels_last)
        shape = (int(data.images.shape[1]), int(data.images.shape[2]), int(data.images.shape[3]))
        self.layers: list[Layer] = penalized_layers(self.model, input_shape=shape)
        self.norms = NormWatch(self.layers)
        self.penalty = self._penalty()
        if recipe.quant is not None:
            put_quantizers(self.model, recipe.quant, self.batches.sample(CALIBRATION_IMAGES))
        self.optimizer = torch.optim.SGD(
            parameter_groups(self.model),
            lr=0.0,
            momentum=recipe.momentum,
            nesterov=recipe.momentum > 0,
            weight_decay=recipe.weight_decay,
        )
        self.steps_per_epoch = self.batches.steps_per_epoch
        self.steps = self.steps_per_epoch * recipe.epochs
        self.step = 0
        self.loss = self.accuracy = self.added = 0.0
        self.good = LastGood()
        self.precision = self._precision()

    def _penalty(self) -> Callable[[], torch.Tensor] | None:
        defense = self.recipe.defense
        if defense.beta == 0 or defense.arm == "none":
            return None
        if defense.arm == "operator":
            return OperatorPenalty(self.layers, seed=self.recipe.seed)
        return partial(orthogonality_penalty, self.model, arm=defense.arm, layers=self.layers)

    def _precision(self) -> Precision:
        if self.recipe.precision != "auto":
            return Precision(self.recipe.precision, 0.0, 0.0)
        images, labels = self.batches.at(0)
        return choose_precision(self.model, images, labels)

    def trained(self) -> Trained:
        """The network as it is, on the processor; its quantizers are taken out."""
        model = self.model.to(memory_format=torch.contiguous_format).cpu().eval()
        assert isinstance(model, Classifier)
        ranges = None if self.recipe.quant is None else take_quantizers(model)
        return Trained(model.requires_grad_(False), self.precision.name, ranges)

    def resume(self) -> None:
        """Go on from the folder's checkpoint, if there is one."""
        state = read_checkpoint(self.folder, recipe=repr(self.recipe), device=self.device)
        if state is None:
            return
        try:
            self._restore(state)
        except Exception as error:  # parts may be missing, or not fit
            raise damaged(self.folder, error) from error

    def _restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.loss, self.accuracy = state["step"], state["loss"], state["accuracy"]
        self.precision = Precision(state["precision"], 0.0, 0.0)
        self.good.restore(state["good"])
        if isinstance(self.penalty, OperatorPenalty):
            self.penalty.restore(state["penalty"])

    def save(self) -> None:
        """Write the checkpoint."""
        state: dict[str, Any] = {
            "recipe": repr(self.recipe),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "loss": self.loss,
            "accuracy": self.accuracy,
            "precision": self.precision.name,
            "good": self.good.saved(),
        }
        if isinstance(self.penalty, OperatorPenalty):
            state["penalty"] = self.penalty.state()
        write_checkpoint(self.folder, state)

    def go(self, report: Callable[[Progress], None] | None, watch: Watch | None = None) -> None:
        """Train from the step it is at to the last, saving now and then."""
        saved = reported = time.monotonic()
        since = self.step
        if watch is not None:
            watch(self.model, self.layers, self.progress(0.0))
        try:
            while self.step < self.steps:
                self.one_step()
                now = time.monotonic()
                if report is not None and (now - reported > 1 or self.step == self.steps):
                    rate = (self.step - since) * self.recipe.batch_size / max(now - reported, 1e-9)
                    since, reported = self.step, now
                    report(state := self.progress(rate))
                    if watch is not None:
                        watch(self.model, self.layers, state)
                if now - saved > CHECKPOINT_SECONDS:
                    self.save()
                    saved = now
        except Diverged:
            raise  # nobody goes on from here
        except BaseException:  # stopped, even by Ctrl+C: it goes on from this very step
            if self.step > 0:
                self.save()
            raise
        self.save()

    def one_step(self) -> None:
        """One batch: attack, forward, penalty, backward, update."""
        images, labels = self._batch()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, self.step, self.steps_per_epoch)
        self.model.train()
        with self.precision.autocast(self.device):
            logits = self.model(images)
        loss = F.cross_entropy(logits.float(), labels)
        total = loss
        if self.penalty is not None:
            added = 0.5 * self.recipe.defense.beta * self.penalty()
            total = loss + added
            self.added = float(added.detach())
        if not torch.isfinite(total):
            raise self._diverged(f"the loss is {total.item()}")
        self.good.note(self.model, step=self.step, loss=total.item())
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        if self.recipe.clip > 0:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimizer.step()
        hold_steps_positive(self.model)
        self.step += 1
        correct = (logits.argmax(1) == labels).float().mean().item()
        keep = AVERAGE if self.step > 1 else 0.0
        self.loss = keep * self.loss + (1 - keep) * loss.item()
        self.accuracy = keep * self.accuracy + (1 - keep) * correct

    def _batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The step's images, attacked if the recipe says so, and labels."""
        images, labels = self.batches.at(self.step)
        adversary = self.recipe.adversary
        if adversary is not None:
            seed = seed_of(self.recipe.seed, ATTACK, self.step)
            with self.precision.autocast(self.device):
                try:
                    images = attacked(self.model, images, labels, adversary=adversary, seed=seed)
                except AttackError as error:
                    raise self._diverged(f"the attack on the batch failed ({error})") from error
        return images, labels

    def _diverged(self, what: str) -> Diverged:
        return Diverged(
            f"{what} at step {self.step}; lower learning_rate (now {self.recipe.learning_rate}) or "
            f"beta (now {self.recipe.defense.beta})"
        )

    def progress(self, rate: float) -> Progress:
        """Where the training stands; `rate` in images per second."""
        return Progress(
            step=self.step,
            steps=self.steps,
            epoch=min(self.step // self.steps_per_epoch + 1, self.recipe.epochs),
            epochs=self.recipe.epochs,
            images_per_second=rate,
            loss=self.loss,
            accuracy=self.accuracy,
            largest_folded_norm=self.norms.largest(),
            penalty=self.added,
        )
