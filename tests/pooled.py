"""Pooled twins: what the parties of a federated algorithm together compute, in plain NumPy."""

import numpy as np

from federatedml.maths import glm, optim


def logistic_regression(x, y, params, **more):
    """Taylor-loss training; y: (n,) -1 or +1. All else as ``trained``."""
    return trained(
        lambda u: glm.taylor_residual(u, y),
        lambda u: glm.LOG2 - 0.5 + 2.0 * glm.taylor_residual(u, y) ** 2,
        x,
        params,
        slope=0.25,
        **more,
    )


def linear_regression(x, y, params, **more):
    """Least squares, half the mean square as loss. All else as ``trained``."""
    return trained(lambda u: u - y, lambda u: (u - y) ** 2 / 2, x, params, slope=1.0, **more)


def poisson_regression(x, y, params, *, exposure=1.0, **more):
    """Counts with a log link; exposure: (n,). All else as ``trained``."""
    log = np.log(exposure)
    return trained(
        lambda u: exposure * np.exp(u) - y,
        lambda u: exposure * np.exp(u) - y * (u + log),
        x,
        params,
        **more,
    )


def trained(residual, loss, x, params, *, slope=None, weight=None, w=None, first=0):
    """Training on all columns at once, full batches. The intercept is column -1.

    residual, loss: of the rows (n,) at the scores X w. x: (n, k + 1), its last column ones.
    slope: of the residual, where it is linear. Returns weights and losses.
    """
    n, k = x.shape
    s = np.ones(n) if weight is None else weight * n / weight.sum()
    w = np.zeros(k) if w is None else w.copy()
    free = np.arange(k) == k - 1
    rate = optim.Schedule(params.learning_rate, params.decay, params.decay_sqrt)
    l2 = params.alpha if params.penalty == "L2" else 0.0
    l1 = params.alpha if params.penalty == "L1" else 0.0
    step = _sqn(x, s * slope, l2 * ~free, params) if params.optimizer == "sqn" else None
    plain = optim.OPTIMIZERS.get(params.optimizer, optim.Sgd)()
    losses = []
    for t in range(first, params.max_iter):
        size = np.abs(w[~free]).sum() * l1 + l2 * (w[~free] ** 2).sum() / 2
        losses.append(np.mean(s * loss(x @ w)) + size)
        g = x.T @ (s * residual(x @ w)) / n + l2 * w * ~free
        g = step.direction(g) if step else g
        before = w
        w = w - plain.delta(g, rate.at(t))
        shrunk = np.sign(w) * np.maximum(np.abs(w) - l1 * rate.at(t), 0)
        w = np.where(free, w, shrunk)
        if step:
            step.moved(w)
        if _is_over(params, losses, w - before):
            break
    return w, losses


def _is_over(params, losses, step):
    if params.early_stop == "diff":
        return len(losses) > 1 and abs(losses[-1] - losses[-2]) < params.tol
    if params.early_stop == "abs":
        return losses[-1] <= params.tol
    return np.linalg.norm(step) < params.tol


class _sqn:  # noqa: N801 (FATE's name)
    """Dense BFGS from the kept pairs: the textbook recursion on the inverse Hessian."""

    def __init__(self, x, s, l2, params):
        self.hessian = x.T @ (x * s[:, None]) / len(x) + np.diag(l2)
        self.every, self.keep = params.sqn_param.update_interval_L, params.sqn_param.memory_M
        self.seen, self.means, self.pairs = [], [], []

    def moved(self, w):
        self.seen.append(w)
        if len(self.seen) % self.every == 0:
            self.means.append(np.mean(self.seen[-self.every :], axis=0))
            if len(self.means) > 1:
                s = self.means[-1] - self.means[-2]
                self.pairs = [*self.pairs, (s, self.hessian @ s)][-self.keep :]

    def direction(self, g):
        if not self.pairs:
            return g
        s, y = self.pairs[-1]
        h = np.eye(len(g)) * (s @ y) / (y @ y)
        for s, y in self.pairs:
            rho = 1 / (s @ y)
            left = np.eye(len(g)) - rho * np.outer(s, y)
            h = left @ h @ left.T + rho * np.outer(s, s)
        return h @ g
