"""Noise whose power falls with its frequency, so that what lies near in time is alike."""

from __future__ import annotations

import torch
from torch import Tensor


def coloured_noise(shape: tuple[int, ...], beta: float, *, rng: torch.Generator) -> Tensor:
    """Draws Gaussian noise with a power spectrum ∝ 1 / f^β along time (Timmer & König 1995, A&A 300:707).

    The lowest frequency is 1 / H; the constant part has the power of that one.

    Differs from iCEM's implementation: the constant part counts in the variance, so that every entry has variance 1
    at any horizon, and β = 0 gives white noise exactly.

    Args:
        shape: `(..., H, A)`; all but time are independent.
        beta: β, at least 0: 0 is white, 1 pink, 2 red noise.
        rng: source of randomness; its device is that of the noise.

    Returns:
        `shape`, each entry standard normal.
    """
    *batch, horizon, size = shape
    num_frequencies = horizon // 2 + 1
    amplitude: Tensor = torch.arange(num_frequencies, device=rng.device).clamp_min(1).float() ** (-beta / 2.0)
    # A frequency strictly between 0 and 1/2 is there twice: a complex one and its conjugate. The others are real; irfft
    # ignores their imaginary parts.
    times = torch.full((num_frequencies,), 2.0, device=rng.device)
    times[0] = 1.0
    if horizon % 2 == 0:
        times[-1] = 1.0
    variance = (times * amplitude.square()).sum() / horizon
    parts = torch.randn(*batch, num_frequencies, size, 2, generator=rng, device=rng.device)
    spectrum = torch.view_as_complex(parts) * (amplitude / (times * variance).sqrt())[:, None]
    noise: Tensor = torch.fft.irfft(spectrum, n=horizon, dim=-2, norm="ortho")
    return noise
