"""Slow references for the image metrics, written patch by patch from the papers' definitions."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import convolve2d


def gaussian_window(size: int, sigma: float) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    window = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    return window / window.sum()


def patches(image: np.ndarray, size: int) -> np.ndarray:
    return sliding_window_view(image, (size, size)).reshape(-1, size * size)


def weighted_moments(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[float, float, float, float, float]:
    mx, my = w @ x, w @ y
    return mx, my, w @ (x - mx) ** 2, w @ (y - my) ** 2, w @ ((x - mx) * (y - my))


def ssim_pair(x: np.ndarray, y: np.ndarray, span: float) -> tuple[float, float]:
    """Mean SSIM and mean contrast-structure over all windows inside the image."""
    w, c1, c2 = gaussian_window(11, 1.5).ravel(), (0.01 * span) ** 2, (0.03 * span) ** 2
    p, q = patches(x, 11), patches(y, 11)
    mx, my = p @ w, q @ w
    p, q = p - mx[:, None], q - my[:, None]
    cs = (2 * (p * q) @ w + c2) / (p**2 @ w + q**2 @ w + c2)
    return float(np.mean(cs * (2 * mx * my + c1) / (mx**2 + my**2 + c1))), float(np.mean(cs))


def halve(image: np.ndarray) -> np.ndarray:
    padded = np.pad(image, ((0, 1), (0, 1)), mode="edge")
    h, w = image.shape
    return np.array([[padded[i : i + 2, j : j + 2].mean() for j in range(0, w, 2)] for i in range(0, h, 2)])


def mef_ssim(sources: list[np.ndarray], fused: np.ndarray) -> float:
    """Ma et al. 2015, patch by patch, with the published code's guards (0.001, 10, eps)."""
    w, eps, values = gaussian_window(11, 1.5).ravel(), np.finfo(float).eps, []
    for *parts, f in zip(*(patches(image, 11) for image in (*sources, fused)), strict=True):
        centred = [p - p.mean() for p in parts]
        norms = [np.linalg.norm(c) for c in centred]
        agreement = min((np.linalg.norm(sum(centred)) + eps) / (sum(norms) + eps), 1 - eps)
        power = min(np.tan(np.pi / 2 * agreement), 10)
        raw = [((n + 0.001) / 11) ** power + eps for n in norms]
        r = sum(a / sum(raw) * c / (n + 0.001) for a, c, n in zip(raw, centred, norms, strict=True))
        if np.linalg.norm(r) > 0:
            r = r / np.linalg.norm(r) * (max(norms) + 0.001)
        _, _, vr, vf, cov = weighted_moments(r, f, w)
        values.append((2 * cov + 58.5225) / (vr + vf + 58.5225))
    return float(np.mean(values))


def vif_pair(reference: np.ndarray, distorted: np.ndarray) -> float:
    """VIFp for images without flat windows or negative gains."""
    kept = there = 0.0
    for scale in range(4):
        size = 2 ** (4 - scale) + 1
        w = gaussian_window(size, size / 5)
        if scale:
            reference = convolve2d(reference, w, mode="valid")[::2, ::2]
            distorted = convolve2d(distorted, w, mode="valid")[::2, ::2]
        for p, q in zip(patches(reference, size), patches(distorted, size), strict=True):
            _, _, vx, vy, cov = weighted_moments(p, q, w.ravel())
            gain = cov / vx
            assert gain > 0
            kept += np.log(1 + gain**2 * vx / (max(vy - gain * cov, 0) + 2))
            there += np.log(1 + vx / 2)
    return kept / there


def qabf_by_pixel(fused: np.ndarray, sources: list[np.ndarray]) -> float:
    """Xydeas and Petrovic 2000, pixel by pixel, orientations modulo pi."""

    def edge(image: np.ndarray, i: int, j: int) -> tuple[float, float]:
        block = np.pad(image, 1, mode="reflect")[i : i + 3, j : j + 3]
        sx = block[:, 2] @ [1, 2, 1] - block[:, 0] @ [1, 2, 1]
        sy = block[2] @ [1, 2, 1] - block[0] @ [1, 2, 1]
        return float(np.hypot(sx, sy)), float(np.arctan(sy / sx)) if sx else np.pi / 2

    top = bottom = 0.0
    for source in sources:
        for i, j in np.ndindex(fused.shape):
            (g, a), (gf, af) = edge(source, i, j), edge(fused, i, j)
            apart = min(abs(a - af), np.pi - abs(a - af))
            strength = min(g, gf) / max(g, gf) if min(g, gf) > 0 else 0
            kept = 0.9994 / (1 + np.exp(-15 * (strength - 0.5))) * 0.9879
            top += g * kept / (1 + np.exp(-22 * (1 - apart / (np.pi / 2) - 0.8)))
            bottom += g
    return top / bottom
