// @ts-check
// Who hears an event on an element: how near, and how many handlers. It runs with DevTools' command line API, which knows listeners.
// `stash` names what `drive/audience.py` left on the window for it. The watch of `effects.js` keeps the function, and asks it again
// while the event is dispatched: a handler may come between the question and the click.
//
// Frameworks that delegate listen on a root from the start, and keep each handler as a property of its own element: React in
// `__reactProps$…` (`onClick`), Svelte 5 in `__click` or under a symbol (`click`), Solid in `$$click`. A function of Svelte's compiler that
// only passes the event on (`handler?.apply(this, …)`) may have nothing behind it. Others keep the event itself until the handler is
// there, and say so in an attribute: Angular's `jsaction="click:…"`, Qwik's `on:click` and `q-e:click`.
((/** @type {string} */ stash, /** @type {string[]} */ types) => {
  const { path, watch } = /** @type {any} */ (window)[stash];
  delete /** @type {any} */ (window)[stash];
  const ROOT_TYPES = 12; // what listens to so many kinds of events is a framework's root
  const listeners = /** @type {any} */ (getEventListeners), own = watch ? watch.own : [];
  // Playwright listens to everything on the window, with one function; nobody else hears by it.
  const MOST_KEYS = 200;
  const isHandler = (/** @type {string | symbol} */ key, /** @type {any} */ value, /** @type {RegExp} */ name) => {
    const handler = Array.isArray(value) ? value[0] : value;
    return name.test(typeof key === 'symbol' ? key.description || '' : key) && typeof handler === 'function'
      && !/\?\.apply\(this\b|\bnull\b[^;]*\.apply\(this\b/.test(Function.prototype.toString.call(handler));
  };
  const holds = (/** @type {any} */ holder, /** @type {(key: string | symbol, value: any) => boolean} */ is) =>
    Reflect.ownKeys(holder).slice(0, MOST_KEYS).some((key) => is(key, (Object.getOwnPropertyDescriptor(holder, key) || {}).value));
  /** Returns what says whether those that listen above have a handler for a node itself. */
  const knownAbove = (/** @type {string[]} */ asked) => {
    const of = asked.join('|'), name = new RegExp(`^(?:on|\\$\\$|__)?(?:${of})(?:capture)?$`, 'i');
    const attribute = new RegExp(`^(?:on:|on-|q-e:)(?:${of})$`), kept = new RegExp(`(?:^|[\\s;])(?:${of}):`);
    return (/** @type {any} */ node) => node.nodeType === 1 && (holds(node, (key, value) => isHandler(key, value, name)
      || (!!value && Object.prototype.toString.call(value) === '[object Object]' && holds(value, (inner, held) => isHandler(inner, held, name))))
      || node.getAttributeNames().some((/** @type {string} */ one) => attribute.test(one))
      || kept.test(node.getAttribute('jsaction') || ''));
  };
  const hears = (/** @type {any[]} */ on, /** @type {string[]} */ asked) => {
    const spare = new Set((listeners(window).touchcancel || []).map((/** @type {any} */ one) => one.listener));
    const isKnownAbove = knownAbove(asked);
    let audience = 'none', count = 0, isKnown = false;
    for (const node of on) {
      const all = listeners(node), isWindow = node === window;
      isKnown = isKnown || isKnownAbove(node);
      const heard = asked.flatMap((type) => all[type] || []).filter((/** @type {any} */ one) => !own.includes(one.listener) && !(isWindow && spare.has(one.listener)));
      if (!heard.length) continue;
      count += heard.length;
      const isTop = isWindow || node.nodeType === 9 || node === document.documentElement || node === document.body;
      // What hangs directly on the body and is not hit itself is where frameworks put their roots.
      const isRoot = (!isTop && node !== on[0] && node.parentNode === document.body) || (!isWindow && Object.keys(all).length >= ROOT_TYPES);
      if (!isTop && !isRoot) return { audience: 'near', count };
      if (isRoot) audience = 'root';
      else if (audience === 'none') audience = 'far';
      if (isKnown) return { audience: 'near', count };
    }
    return { audience, count };
  };
  if (watch) watch.hears = (/** @type {Event} */ event) => {
    const way = event.composedPath();
    return types.includes(event.type) ? { audience: hears(way, [event.type]).audience, count: hears(way, types).count } : null;
  };
  return hears(path, types);
})
