// @ts-check
// Watches what an action on an element changes. Returned as a handle, it puts nothing on the page: two capturing listeners and observers,
// which `stop` takes away again.
(/** @type {Element} */ element) => {
  const now = performance.now.bind(performance), later = setTimeout.bind(window);
  const first = /** @type {WeakMap<Node, number>} */ (new WeakMap()), restless = new WeakSet();
  const caused = new Set(), followed = new Set();
  let phase = 'before', dispatched = 0, wake = () => {};

  const changed = (/** @type {MutationRecord[]} */ records) => {
    for (const { target } of records) {
      if (phase === 'before') { // what changes by itself, again and again, is no effect
        const at = first.get(target);
        if (at === undefined) first.set(target, now());
        else if (now() - at > 50) restless.add(target);
      } else if (!restless.has(target)) (phase === 'during' ? caused : followed).add('dom');
    }
    if (caused.size + followed.size) wake();
  };
  const observer = new MutationObserver(changed);
  const watch = (/** @type {Node} */ root) => observer.observe(root, { subtree: true, childList: true, attributes: true, characterData: true });
  const take = () => changed(observer.takeRecords());
  watch(document);
  for (let root = element.getRootNode(); root instanceof ShadowRoot; root = root.host.getRootNode()) watch(root);

  const note = (/** @type {string} */ what) => {
    if (phase === 'before') return;
    (phase === 'during' ? caused : followed).add(what);
    wake();
  };
  // What a handler asks for, or puts off, is seen while the event is dispatched, and at no other time.
  const wrapped = /** @type {[any, string, string][]} */ ([
    [window, 'fetch', 'network'], [XMLHttpRequest.prototype, 'send', 'network'], [window, 'setTimeout', 'timer'], [window, 'requestAnimationFrame', 'timer'],
  ]);
  const listenIn = () => {
    const undo = wrapped.map(([holder, name, what]) => {
      const own = Object.getOwnPropertyDescriptor(holder, name), native = holder[name];
      if (!own || !own.configurable || typeof native !== 'function') return () => {};
      const passing = function () {
        note(what);
        // @ts-ignore: what it is called on is passed on
        return native.apply(this, arguments);
      };
      Object.defineProperty(holder, name, { ...own, value: passing });
      return () => { if (holder[name] === passing) Object.defineProperty(holder, name, own); };
    });
    return () => undo.forEach((one) => one());
  };
  const SCRIPT_MS = 50; // what a handler imports is asked for at once
  let from = Infinity, to = -Infinity;
  const scripts = new PerformanceObserver((list) => {
    for (const entry of list.getEntriesByType('resource')) {
      const { initiatorType, startTime } = /** @type {PerformanceResourceTiming} */ (entry);
      if (/^(script|link|other)$/.test(initiatorType) && startTime >= from && startTime <= to + SCRIPT_MS) { caused.add('network'); wake(); }
    }
  });
  scripts.observe({ type: 'resource' });

  const begin = (/** @type {Event} */ event) => {
    if (phase === 'during') return;
    take();
    phase = 'during';
    dispatched++;
    from = now();
    const undo = listenIn();
    later(() => { // after the handlers and their microtasks
      undo();
      to = now();
      take();
      if (event.defaultPrevented) caused.add('handled');
      phase = 'after';
      if (caused.size) wake();
    }, 0);
  };
  const begins = ['click', 'keydown', 'input'];
  const focused = (/** @type {Event} */ event) => {
    const to = event.composedPath()[0];
    if (to instanceof Node && !element.contains(to) && !to.contains(element)) note('focus');
  };
  const toggled = () => note('toggle');
  for (const type of begins) window.addEventListener(type, begin, true);
  window.addEventListener('focusin', focused, true);
  for (const type of ['toggle', 'change', 'submit']) window.addEventListener(type, toggled, true);

  return {
    own: [begin, focused, toggled],
    begin() { take(); if (phase === 'after') phase = 'before'; caused.clear(); followed.clear(); dispatched = 0; },
    /** Resolves at the first effect, or when the time is over. */
    report(/** @type {number} */ ms) {
      return new Promise((resolve) => {
        const done = () => { take(); resolve({ dispatched, caused: [...caused], followed: [...followed] }); };
        if (caused.size + followed.size && phase !== 'during') return done();
        const timer = later(done, ms);
        wake = () => { if (phase !== 'during') { clearTimeout(timer); wake = () => {}; done(); } };
      });
    },
    stop() {
      observer.disconnect();
      scripts.disconnect();
      for (const type of begins) window.removeEventListener(type, begin, true);
      window.removeEventListener('focusin', focused, true);
      for (const type of ['toggle', 'change', 'submit']) window.removeEventListener(type, toggled, true);
    },
  };
}
