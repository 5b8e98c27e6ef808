// @ts-check
// Who hears an event on an element: how near, and how many handlers. It runs with DevTools' command line API, which knows listeners.
// `stash` names what `drive/audience.py` left on the window for it. The watch of `effects.js` keeps the function, and asks it again
// while the event is dispatched: a handler may come between the question and the click.
((/** @type {string} */ stash, /** @type {string[]} */ types) => {
  const { path, watch } = /** @type {any} */ (window)[stash];
  delete /** @type {any} */ (window)[stash];
  const ROOT_TYPES = 12; // what listens to so many kinds of events is a framework's root
  const listeners = /** @type {any} */ (getEventListeners), own = watch ? watch.own : [];
  // Playwright listens to everything on the window, with one function; nobody else hears by it.
  const hears = (/** @type {any[]} */ on, /** @type {string[]} */ asked) => {
    const spare = new Set((listeners(window).touchcancel || []).map((/** @type {any} */ one) => one.listener));
    let audience = 'none', count = 0;
    for (const node of on) {
      const all = listeners(node), isWindow = node === window;
      const heard = asked.flatMap((type) => all[type] || []).filter((/** @type {any} */ one) => !own.includes(one.listener) && !(isWindow && spare.has(one.listener)));
      if (!heard.length) continue;
      count += heard.length;
      const isTop = isWindow || node.nodeType === 9 || node === document.documentElement || node === document.body;
      // What hangs directly on the body and is not hit itself is where frameworks put their roots.
      const isRoot = (!isTop && node !== on[0] && node.parentNode === document.body) || (!isWindow && Object.keys(all).length >= ROOT_TYPES);
      if (!isTop && !isRoot) return { audience: 'near', count };
      if (isRoot) audience = 'root';
      else if (audience === 'none') audience = 'far';
    }
    return { audience, count };
  };
  if (watch) watch.hears = (/** @type {Event} */ event) => {
    const way = event.composedPath();
    return types.includes(event.type) ? { audience: hears(way, [event.type]).audience, count: hears(way, types).count } : null;
  };
  return hears(path, types);
})
