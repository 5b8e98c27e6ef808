// @ts-check
// Who hears an event on an element: "near", "far" or "none". It runs with DevTools' command line API, which knows listeners.
// `stash` names what `drive/audience.py` left on the window for it.
((/** @type {string} */ stash, /** @type {string[]} */ types) => {
  const { path, own } = /** @type {any} */ (window)[stash];
  delete /** @type {any} */ (window)[stash];
  const ROOT_TYPES = 12; // an element that listens to so many kinds of events is a framework's root
  const of = (/** @type {any} */ node) => /** @type {any} */ (getEventListeners)(node);
  // Playwright listens to everything on the window, with one function; nobody else hears by it.
  const spare = new Set((of(window).touchcancel || []).map((/** @type {any} */ one) => one.listener));
  let isFar = false;
  for (const node of path) {
    const all = of(node), isWindow = node === window;
    const heard = types.some((type) => (all[type] || []).some((/** @type {any} */ one) => !(own || []).includes(one.listener) && !(isWindow && spare.has(one.listener))));
    if (!heard) continue;
    const isTop = isWindow || node.nodeType === 9 || node === document.documentElement || node === document.body;
    // What hangs directly on the body and is not hit itself is where frameworks put their roots.
    const isRoot = isTop || (node !== path[0] && node.parentNode === document.body) || Object.keys(all).length >= ROOT_TYPES;
    if (!isRoot) return 'near';
    isFar = true;
  }
  return isFar ? 'far' : 'none';
})
