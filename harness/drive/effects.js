// @ts-check
// Watches what an action on an element changes. Returned as a handle, it puts nothing on the page: two capturing listeners and observers,
// which `stop` takes away again.
(/** @type {Element} */ element) => {
  const now = performance.now.bind(performance), later = setTimeout.bind(window);
  const RESTLESS = Infinity; // what changes by itself, again and again, is no effect
  const since = /** @type {WeakMap<Node, Map<string, number>>} */ (new WeakMap()); // a node's kinds of change before the action
  const caused = new Set(), followed = new Set();
  const RANKS = ['none', 'far', 'root', 'near'];
  const heard = { audience: '', count: 0 }; // the most that one event of the action had
  let phase = 'before', told = 0, wake = () => {};
  // The next task comes after the handlers and all their microtasks, and before what else is waiting, such as a page's hydration.
  const scheduler = /** @type {any} */ (window).scheduler, postTask = scheduler && scheduler.postTask && scheduler.postTask.bind(scheduler);
  const postMessage = MessagePort.prototype.postMessage;
  const next = (/** @type {() => void} */ what) => {
    if (postTask) postTask(what, { priority: 'user-blocking' });
    else {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => { channel.port1.close(); what(); };
      postMessage.call(channel.port2, 0);
    }
  };

  const changed = (/** @type {MutationRecord[]} */ records) => {
    for (const { target, type, attributeName } of records) {
      const kinds = since.get(target) || new Map(), kind = attributeName || type, at = kinds.get(kind);
      if (phase === 'before') {
        if (at === undefined) since.set(target, kinds.set(kind, now()));
        else if (at !== RESTLESS && now() - at > 50) kinds.set(kind, RESTLESS);
      } else if (at !== RESTLESS) (phase === 'during' ? caused : followed).add('dom');
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
  const settled = () => {
    take();
    phase = 'after';
    if (caused.size) wake();
  };
  // What a handler asks for, or puts off, is seen while it runs, and at no other time; what was put off is the action's, too.
  const LONGEST_MS = 3_000, LATE_MS = 1_000, MOST = 50;
  const awaited = /** @type {{ at: number }[]} */ ([]);
  /** Begins what is caused; what it returns ends it. Null where it goes on already. */
  const begun = () => {
    if (phase === 'during') return null;
    take();
    phase = 'during';
    return listenIn();
  };
  const putOff = (/** @type {any} */ callback, /** @type {unknown} */ delay) => {
    const ms = Number(delay) || 0;
    if (typeof callback !== 'function') return callback;
    if (ms > LONGEST_MS || awaited.length >= MOST) {
      note('timer');
      return callback;
    }
    const one = { at: now() + ms + LATE_MS };
    awaited.push(one);
    return function () {
      one.at = 0;
      const undo = begun();
      if (undo) next(() => { undo(); settled(); });
      // @ts-ignore: what it is called on is passed on
      return callback.apply(this, arguments);
    };
  };
  // Messages come in the order in which they were sent: one of ours before and one after tell when theirs is handled, as React's scheduler does it.
  const marks = new MessageChannel();
  let undone = /** @type {null | (() => void)} */ (null);
  marks.port1.onmessage = ({ data }) => {
    if (data === 'begin') undone = begun();
    else if (undone) { undone(); undone = null; settled(); }
  };
  const prototypeOf = (/** @type {string} */ name) => /** @type {any} */ (window)[name] && /** @type {any} */ (window)[name].prototype;
  const wrapped = /** @type {[any, string, (given: any[]) => void][]} */ ([
    [window, 'fetch', () => note('network')], [prototypeOf('XMLHttpRequest'), 'send', () => note('network')],
    [prototypeOf('WebSocket'), 'send', () => note('network')], [prototypeOf('Worker'), 'postMessage', () => note('network')],
    [window, 'setTimeout', (given) => { given[0] = putOff(given[0], given[1]); }], [window, 'setInterval', (given) => { given[0] = putOff(given[0], given[1]); }],
    [window, 'requestAnimationFrame', (given) => { given[0] = putOff(given[0], 0); }], [window, 'requestIdleCallback', (given) => { given[0] = putOff(given[0], 0); }],
    [prototypeOf('Scheduler'), 'postTask', (given) => { given[0] = putOff(given[0], given[1] && given[1].delay); }],
  ]);
  const listenIn = () => {
    const wrap = (/** @type {any} */ holder, /** @type {string} */ name, /** @type {(native: any) => any} */ passing) => {
      const own = holder && Object.getOwnPropertyDescriptor(holder, name), native = own && holder[name];
      if (!own || !own.configurable || typeof native !== 'function') return () => {};
      const passed = passing(native);
      Object.defineProperty(holder, name, { ...own, value: passed });
      return () => { if (holder[name] === passed) Object.defineProperty(holder, name, own); };
    };
    const undo = wrapped.map(([holder, name, see]) => wrap(holder, name, (native) => function () {
      const given = /** @type {any[]} */ ([...arguments]);
      see(given);
      // @ts-ignore: what it is called on is passed on
      return native.apply(this, given);
    }));
    undo.push(wrap(MessagePort.prototype, 'postMessage', (native) => function () {
      postMessage.call(marks.port2, 'begin');
      // @ts-ignore: what it is called on is passed on
      const sent = native.apply(this, arguments);
      postMessage.call(marks.port2, 'end');
      return sent;
    }));
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
    if (!event.isTrusted && event.type !== 'input') return; // Playwright chooses an option so; a click like this is the page's own
    const who = result.hears && result.hears(event);
    if (who) {
      if (RANKS.indexOf(who.audience) > RANKS.indexOf(heard.audience)) heard.audience = who.audience;
      heard.count = who.count;
    }
    // A button that is pressed takes the focus from a field, which may change something, too: it counts where the press is heard.
    if (!mains.includes(event.type) && !(who && ['near', 'root'].includes(who.audience))) return;
    const undo = begun();
    if (!undo) return;
    from = now();
    next(() => {
      undo();
      to = now();
      if (event.defaultPrevented) caused.add('handled');
      settled();
    });
  };
  const mains = ['click', 'keydown', 'input'], begins = [...mains, 'pointerdown', 'mousedown', 'pointerup', 'mouseup', 'keyup'];
  const focused = (/** @type {Event} */ event) => {
    const to = event.composedPath()[0];
    if (to instanceof Node && !element.contains(to) && !to.contains(element)) note('focus');
  };
  const toggled = (/** @type {Event} */ event) => {
    const to = event.composedPath()[0];
    const isOwn = to instanceof Node && (element.contains(to) || to === /** @type {any} */ (element).control);
    if (event.type !== 'change' || isOwn) note('toggle');
  };
  for (const type of begins) window.addEventListener(type, begin, true);
  window.addEventListener('focusin', focused, true);
  for (const type of ['toggle', 'change', 'submit']) window.addEventListener(type, toggled, true);

  const result = {
    own: [begin, focused, toggled],
    /** @type {null | ((event: Event) => null | { audience: string, count: number })} */
    hears: null, // `audience.js` gives it where the browser knows listeners
    /** Resolves at the next effect, or when the time is over. */
    report(/** @type {number} */ ms) {
      return new Promise((resolve) => {
        const done = () => {
          take();
          told = caused.size + followed.size;
          resolve({ heard, isAwaited: awaited.some(({ at }) => at > now()), caused: [...caused], followed: [...followed] });
        };
        if (caused.size + followed.size > told && phase !== 'during') return done();
        const timer = later(done, ms);
        wake = () => { if (phase !== 'during' && caused.size + followed.size > told) { clearTimeout(timer); wake = () => {}; done(); } };
      });
    },
    stop() {
      observer.disconnect();
      scripts.disconnect();
      marks.port1.close();
      for (const type of begins) window.removeEventListener(type, begin, true);
      window.removeEventListener('focusin', focused, true);
      for (const type of ['toggle', 'change', 'submit']) window.removeEventListener(type, toggled, true);
    },
  };
  return result;
}
