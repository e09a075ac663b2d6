"""The parts of the model and of its training that an ablation can switch off."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True)
class Components:
    """One switch per part; all are on in the product.

    Attributes
    ----------
    task_embedding : bool
        The task encoder and its embedding.
    static : bool
        Land cover and climate classes as conditioning.
    film_input, film_output : bool
        FiLM of the input of the recurrence and of its hidden states.
    moving_averages : bool
        Exponential moving averages of the predictors as further inputs.
    warm_up : bool
        The recurrence runs through the end of the look-back window before the first day.
    yearly_embedding : bool
        The encoder reads the whole look-back window; without, a month of it.
    light_gate : bool
        GPP saturates with short-wave radiation.
    hard_closure : bool
        NEE is RECO - GPP by construction; without, it is an output of its own.
    reconstruction : bool
        The decoder reconstructs the look-back window from the embedding.
    pretraining : bool
        Epochs of the forward model alone come first.
    site_effects : bool
        A random effect for each training site.
    site_weights : bool
        Sites with long records weigh less per day.
    trees : bool
        The regression trees whose fluxes are averaged with those of the network.
    """

    task_embedding: bool = True
    static: bool = True
    film_input: bool = True
    film_output: bool = True
    moving_averages: bool = True
    warm_up: bool = True
    yearly_embedding: bool = True
    light_gate: bool = True
    hard_closure: bool = True
    reconstruction: bool = True
    pretraining: bool = True
    site_effects: bool = True
    site_weights: bool = True
    trees: bool = True


ABLATIONS = {
    f"tamrl_without_{field.name}": Components(**{field.name: False}) for field in fields(Components)
}
"""TAM-RL without one of its parts, by the name of the model."""

PLAIN_LSTM = Components(
    task_embedding=False,
    static=False,
    film_input=False,
    film_output=False,
    moving_averages=False,
    light_gate=False,
    pretraining=False,
    site_effects=False,
    site_weights=False,
    trees=False,
)
"""The LSTM that is given the predictors of the day alone, nothing about the site."""

CONTINUOUS_LSTM = replace(
    PLAIN_LSTM, static=True, film_input=True, film_output=True, site_weights=True
)
"""The LSTM that is also given land cover and climate, and runs through whole years."""

COMPONENTS_OF_MODEL = {
    "tamrl": Components(),
    "lstm": PLAIN_LSTM,
    "continuous_lstm": CONTINUOUS_LSTM,
    **ABLATIONS,
}
"""Components of each model that this package trains, by its name."""
