// @ts-check
// Reports facts about <openai-chatkit> from inside every document. It concludes nothing, never throws into the page,
// and sends no secret: only salted digests. Facts of a few milliseconds travel together, in order.
(() => {
  const post = /** @type {any} */ (window).__chatkitProbe;
  if (typeof post !== 'function' || post.installed === document) return;
  post.installed = document;

  const { tag: TAG, events: EVENTS, mark: MARK } = /** @type {any} */ (__CHATKIT__);
  const SALT = '__SALT__', LIMIT = 4000, BATCH_MS = 10;
  const { stringify, parse } = JSON, now = performance.now.bind(performance), raf = requestAnimationFrame.bind(window);
  const soon = queueMicrotask.bind(window), later = setTimeout.bind(window), styleOf = getComputedStyle.bind(window), decode64 = atob.bind(window);
  const sha = crypto.subtle && crypto.subtle.digest.bind(crypto.subtle), encoder = new TextEncoder();
  const Observer = MutationObserver, documentId = Math.random().toString(36).slice(2, 10) + Math.floor(now()).toString(36);
  const isTop = window === window.top;
  const cut = (/** @type {any} */ text, size = 2000) => String(text ?? '').slice(0, size);
  const bare = (/** @type {string} */ url) => cut(url).split('#')[0];

  let queue = /** @type {any[]} */ ([]), sent = 0, isAnnounced = false;
  const send = (/** @type {any} */ fact) => {
    if (!isAnnounced) announce();
    if (++sent > LIMIT) { if (sent === LIMIT + 1) fact = { kind: 'omitted' }; else return; }
    if (queue.push({ page_ms: now(), ...fact, document: documentId }) === 1) later(flush, BATCH_MS);
  };
  const flush = () => {
    if (!queue.length) return;
    const facts = queue; queue = [];
    try { post(stringify({ v: 1, facts })).catch(() => {}); } catch { /* never the page's problem */ }
  };
  addEventListener('pagehide', flush, true);
  const guarded = (/** @type {Function} */ f) => function () { try { return f.apply(null, arguments); } catch { /* as above */ } };

  // --- the document ---
  // The initial empty document has nothing to say in most frames; it is announced when it has.
  const announce = () => {
    isAnnounced = true;
    send({
      kind: 'document-started', url: bare(location.href), origin: cut(window.origin, 200), is_top: isTop,
      is_secure_context: window.isSecureContext, time_origin_ms: performance.timeOrigin,
    });
  };
  if (location.href !== 'about:blank') announce();
  addEventListener('load', () => { if (isAnnounced) send({ kind: 'document-loaded' }); });
  document.addEventListener('securitypolicyviolation', guarded((/** @type {SecurityPolicyViolationEvent} */ e) => send({
    kind: 'policy-violated', directive: cut(e.effectiveDirective), blocked_url: cut(e.blockedURI), is_enforced: e.disposition === 'enforce', source: bare(e.sourceFile),
  })), true);
  const timed = (/** @type {any} */ list) => {
    for (const e of list.getEntries()) send({
      kind: 'resource-timed', url: cut(e.name), initiator: e.initiatorType || e.entryType,
      started_page_ms: e.startTime, response_ended_page_ms: e.responseEnd,
    });
  };
  for (const type of ['navigation', 'resource']) {
    try { new PerformanceObserver(guarded(timed)).observe({ type, buffered: true }); } catch { /* one missing fact */ }
  }

  // --- the elements ---
  /** @type {Map<Element, any>} */
  const embeds = new Map();
  const seen = new WeakSet();
  const widgetEvent = guarded((/** @type {any} */ e) => {
    const el = e.target;
    if (seen.has(e) || !el || el.localName !== TAG) return;
    seen.add(e);
    const detail = e.detail || {}, error = detail.error;
    send({
      kind: 'widget-event', embed: found(el).number, name: e.type,
      detail_name: cut(error ? error.name : detail.name ?? detail.threadId, 200), message: cut(error?.message ?? detail.data?.toastMessage),
    });
    look();
  });
  const found = (/** @type {Element} */ el) => {
    let embed = embeds.get(el);
    if (!embed) {
      embeds.set(el, embed = { number: embeds.size + 1, root: null, connected: false, shadow: '', box: '' });
      for (const name of EVENTS) el.addEventListener(name, widgetEvent);
    }
    return embed;
  };
  for (const name of EVENTS) document.addEventListener(name, widgetEvent, true);

  const describe = (/** @type {Element} */ el) => cut(el.localName + (el.id ? '#' + el.id : el.classList && el.classList[0] ? '.' + el.classList[0] : ''), 100);
  const upFrom = (/** @type {any} */ el) => el.assignedSlot || el.parentElement || (el.getRootNode() instanceof ShadowRoot ? el.getRootNode().host : null);
  const shadow = (/** @type {any} */ el, /** @type {any} */ embed) => {
    const root = embed.root || el.shadowRoot;
    if (!root) return;
    if (!embed.root || !embed.watched) {
      embed.root = root; embed.watched = true;
      new Observer(guarded(look)).observe(root, { childList: true, subtree: true, attributes: true, attributeFilter: ['src'] });
    }
    const iframe = root.querySelector('iframe');
    const state = {
      children: [...root.children].map((c) => c.localName + (c.classList[0] ? '.' + c.classList[0] : '')),
      iframe_src: iframe ? bare(iframe.src) : '', data_loaded: el.getAttribute('data-loaded') === 'true',
      color_scheme: cut(el.getAttribute('data-color-scheme'), 40),
    };
    const text = stringify(state);
    if (text === embed.shadow) return;
    embed.shadow = text;
    send({ kind: 'shadow-changed', embed: embed.number, ...state });
    if (iframe) options(embed, cut(iframe.src, 200000).split('#')[1]);
  };
  // The names of the options travel in the iframe's address; their values are private.
  const options = guarded((/** @type {any} */ embed, /** @type {string | undefined} */ hash) => {
    if (!hash || embed.hash === hash) return;
    embed.hash = hash;
    const bytes = Uint8Array.from(decode64(hash.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
    const known = parse(new TextDecoder().decode(bytes)).options || {}, api = known.api || {}, key = api.domainKey;
    const names = (/** @type {any} */ value) => (typeof value === 'object' ? Object.keys(value).slice(0, 40).map((name) => cut(name, 60)) : []);
    send({
      kind: 'options-seen', embed: embed.number, keys: names(known), api_keys: names(api),
      domain_key_format: typeof key !== 'string' ? '' : /local|dev|test|example|placeholder|your|xxx/i.test(key) ? 'placeholder'
        : key.startsWith('domain_pk_') ? 'domain_pk' : 'other',
    });
  });
  const box = (/** @type {Element} */ el, /** @type {any} */ embed) => {
    const r = el.getBoundingClientRect(), page = document.documentElement;
    let left = r.left, right = r.right, top = r.top, bottom = r.bottom, hidden = '', isFixed = false, shape = '', scaled = '', skipped = '';
    for (let n = /** @type {any} */ (el); n; n = upFrom(n)) {
      const s = styleOf(n);
      if (s.display === 'none') hidden = 'display:none on ' + describe(n);
      else if (s.visibility !== 'visible' && n === el) hidden = hidden || 'visibility:' + s.visibility;
      else if (Number(s.opacity) === 0) hidden = hidden || 'opacity:0 on ' + describe(n);
      if (n !== el && (s.contentVisibility === 'hidden' || (n.localName === 'details' && !n.open))) skipped = skipped || 'content-visibility on ' + describe(n);
      if (n === el && s.display === 'contents') hidden = 'display:contents on ' + describe(n);
      if (s.clipPath && s.clipPath !== 'none') shape = shape || 'clip-path on ' + describe(n);
      if ((s.transform && s.transform !== 'none') || (s.scale && s.scale !== 'none')) scaled = scaled || 'transform on ' + describe(n);
      if (n !== el && !isFixed && n !== page && n !== document.body && (s.overflowX !== 'visible' || s.overflowY !== 'visible')) {
        const c = n.getBoundingClientRect();
        if (/hidden|clip/.test(s.overflowX)) { left = Math.max(left, c.left); right = Math.min(right, c.right); }
        if (/hidden|clip/.test(s.overflowY)) { top = Math.max(top, c.top); bottom = Math.min(bottom, c.bottom); }
        if (right <= left || bottom <= top) hidden = hidden || (r.width && r.height ? 'clipped by ' + describe(n) : '');
      }
      isFixed = isFixed || s.position === 'fixed';
    }
    const x = left + scrollX, y = top + scrollY;
    const reachable = isFixed
      ? right > 0 && bottom > 0 && left < innerWidth && top < innerHeight
      : right + scrollX > 0 && bottom + scrollY > 0 && x < Math.max(page.scrollWidth, innerWidth) && y < Math.max(page.scrollHeight, innerHeight);
    const own = /** @type {any} */ (el);
    if (!hidden && skipped && own.checkVisibility && !own.checkVisibility()) hidden = skipped;
    if (!hidden && scaled && (!r.width || !r.height) && own.offsetWidth && own.offsetHeight) hidden = scaled;
    // Seen from outside, whatever is in a shadow root is its host.
    const hosts = new Set(), x2 = (left + right) / 2, y2 = (top + bottom) / 2;
    for (let root = el.getRootNode(); root instanceof ShadowRoot; root = root.host.getRootNode()) hosts.add(root.host);
    let over = r.width && r.height && !hidden ? document.elementFromPoint(x2, y2) : null;
    if (hosts.has(over)) over = /** @type {any} */ (el.getRootNode()).elementFromPoint(x2, y2);
    if (shape && over && over !== el && over.contains(el) && styleOf(el).pointerEvents !== 'none') hidden = shape;
    let container = upFrom(el);
    while (container && /^(inline|contents)$/.test(styleOf(container).display)) container = upFrom(container);
    const css = /** @type {any} */ (el).computedStyleMap;
    const state = {
      container: container ? describe(container) : '', container_height_px: container ? container.clientHeight : -1,
      height_css: css ? cut(css.call(el).get('height'), 40) : '', width_px: Math.round(r.width), height_px: Math.round(r.height), is_rendered: !hidden, hidden_by: hidden, is_reachable: reachable,
      covered_by: over && over !== el && !el.contains(over) && !over.contains(el) ? describe(over) : '',
    };
    const text = stringify(state);
    if (text !== embed.box) { embed.box = text; send({ kind: 'box-changed', embed: embed.number, ...state }); }
  };
  const sizes = window.ResizeObserver && new ResizeObserver(guarded(look));
  const places = window.IntersectionObserver && new IntersectionObserver(guarded(look), { threshold: [0, 0.01, 0.5, 1] });
  let isPlanned = false;
  function lookNow() {
    for (const [el, embed] of embeds) if (el.isConnected) { shadow(el, embed); box(el, embed); }
  }
  function look() {
    for (const [el, embed] of embeds) if (el.isConnected) shadow(el, embed);
    if (isPlanned || !embeds.size) return;
    isPlanned = true;
    raf(guarded(() => { isPlanned = false; lookNow(); }));
  }
  const connect = (/** @type {Element} */ el) => {
    const embed = found(el);
    if (embed.connected || !el.isConnected) return;
    embed.connected = true;
    send({ kind: 'element-connected', embed: embed.number });
    new Observer(guarded(look)).observe(el, { attributes: true, attributeFilter: ['data-loaded', 'data-color-scheme'] });
    if (sizes) sizes.observe(el);
    if (places) places.observe(el);
    look();
  };
  const disconnect = (/** @type {Element} */ el) => {
    const embed = embeds.get(el);
    if (!embed || !embed.connected || el.isConnected) return;
    embed.connected = false;
    send({ kind: 'element-disconnected', embed: embed.number });
  };
  const scripts = new WeakSet();
  const script = (/** @type {any} */ el) => {
    if (scripts.has(el) || !/chatkit[^/]*\.js([?#]|$)/i.test(el.src || '')) return;
    scripts.add(el);
    send({ kind: 'script-referenced', src: cut(el.src), type: cut(el.type, 40) });
  };
  // --- what stands there instead ---
  const lookalikes = new WeakSet();
  const lookalike = (/** @type {Element} */ el) => {
    if (lookalikes.has(el) || el.localName === TAG || !/chat-?kit/.test(el.localName) || !el.localName.includes('-')) return;
    lookalikes.add(el);
    later(guarded(() => { // what is defined by then is a component of the page's own
      if (el.isConnected && el.matches(':not(:defined)')) send({ kind: 'lookalike-seen', tag: cut(el.localName, 80) });
    }), 1000);
  };
  let notices = 0;
  const CHAT = '(chat|assistant|session|secret|widget)';
  const NOTICE = new RegExp('(initiali[sz]|loading|connecting|preparing|starting|waiting|could not|cannot|failed|unable)[^.!?]{0,40}' + CHAT
    + '|' + CHAT + '[^.!?]{0,40}(unavailable|not available|not loaded|not set|not configured|not found|failed|could not|missing)', 'i');
  const notice = (/** @type {any} */ node) => {
    if (notices >= 5 || node.childElementCount > 8) return;
    const text = cut(node.textContent, 200).replace(/\s+/g, ' ').trim();
    if (text.length > 160 || !NOTICE.test(text)) return;
    notices++;
    send({ kind: 'notice-shown', text });
  };
  const walk = (/** @type {any} */ node, /** @type {(el: Element) => void} */ visit) => {
    if (node.nodeType !== 1 && node.nodeType !== 11) return;
    if (node.localName === TAG) visit(node);
    for (const el of node.querySelectorAll(TAG)) visit(el);
  };
  const changed = guarded((/** @type {MutationRecord[]} */ records) => {
    for (const record of records) {
      for (const node of record.removedNodes) walk(node, disconnect);
      for (const node of record.addedNodes) {
        walk(node, connect);
        if (node.nodeType === 1) {
          lookalike(/** @type {Element} */ (node));
          for (const el of /** @type {Element} */ (node).querySelectorAll(':not(:defined)')) lookalike(el);
        }
        if (!/^(script|style|head)$/i.test(node.nodeName)) notice(node);
        if (/** @type {any} */ (node).localName === 'script') script(node);
        else if (node.nodeType === 1) for (const el of /** @type {Element} */ (node).getElementsByTagName('script')) script(el);
      }
    }
    look();
  });
  const watched = { childList: true, subtree: true, attributes: true, attributeFilter: ['class', 'style', 'hidden', 'open'] };
  new Observer(changed).observe(document, watched);
  for (const name of ['transitionend', 'animationend', 'load', 'scrollend']) addEventListener(name, guarded(look), true);

  // A shadow root can hold the element, and is the element's own: the only place to learn of either is where it is made.
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function attachShadow(/** @type {any} */ _init) {
    const root = attach.apply(this, /** @type {any} */ (arguments));
    try {
      if (this.localName === TAG) found(this).root = root;
      else new Observer(changed).observe(root, watched);
    } catch { /* as above */ }
    return root;
  };
  if (window.customElements) customElements.whenDefined(TAG).then(() => { send({ kind: 'element-defined' }); soon(look); }, () => {});

  // --- streams: the pieces of an answer, and when they are read ---
  const streams = new WeakMap(), readers = new WeakMap(), STREAM_MS = 250, STREAM_LIMIT = 500000;
  const told = (/** @type {any} */ s) => {
    const { at, texts, url, number } = s;
    Object.assign(s, { isPlanned: false, at: [], texts: [] });
    if (at.length) send({ kind: 'stream-read', url, number, at_ms: at, texts });
  };
  const piece = (/** @type {any} */ s, /** @type {any} */ { done, value }) => {
    if (done) return told(s);
    const text = typeof value === 'string' ? value : ArrayBuffer.isView(value) ? (s.decoder = s.decoder || new TextDecoder()).decode(value, { stream: true }) : '';
    if ((s.size += text.length) > STREAM_LIMIT) return;
    s.at.push(Math.round((now() - s.opened) * 10) / 10); s.texts.push(text);
    if (!s.isPlanned) { s.isPlanned = true; later(guarded(() => told(s)), STREAM_MS); }
  };
  try {
    let opened = 0;
    const body = /** @type {any} */ (Object.getOwnPropertyDescriptor(Response.prototype, 'body'));
    const source = ReadableStream.prototype, reading = ReadableStreamDefaultReader.prototype, { getReader, pipeThrough } = source, { read } = reading;
    const known = { get body() {
      const stream = body.get.call(this), self = /** @type {any} */ (this);
      try {
        if (stream && !streams.has(stream) && /event-stream/.test(self.headers.get('content-type'))) {
          streams.set(stream, { url: bare(self.url), number: ++opened, opened: now(), size: 0, at: [], texts: [] });
        }
      } catch { /* as above */ }
      return stream;
    } };
    const passed = (/** @type {any} */ to, /** @type {any} */ from, /** @type {any} */ out) => { if (streams.has(from)) to.set(out, streams.get(from)); return out; };
    const natives = /** @type {any} */ ({
      getReader() { return passed(readers, this, getReader.apply(this, arguments)); },
      pipeThrough(/** @type {any} */ _transform) { return passed(streams, this, pipeThrough.apply(this, arguments)); },
      read() {
        const result = read.apply(this, arguments), s = readers.get(this);
        if (s) result.then(guarded((/** @type {any} */ got) => piece(s, got)), () => {});
        return result;
      },
    });
    Object.defineProperty(Response.prototype, 'body', { ...body, get: Object.getOwnPropertyDescriptor(known, 'body')?.get });
    Object.assign(source, { getReader: natives.getReader, pipeThrough: natives.pipeThrough });
    reading.read = natives.read;
  } catch { /* one missing fact */ }

  // --- the protocol ---
  const format = (/** @type {any} */ secret) => {
    try {
      const tail = secret.slice(secret.lastIndexOf('_') + 1), version = tail.slice(0, 2);
      const known = parse(decode64(tail.slice(2)));
      return secret.includes('_') && (version === '00' || version === '01') && typeof known.expires_at === 'number' ? 'v' + version : 'other';
    } catch { return 'other'; }
  };
  const digest = async (/** @type {string} */ text) => {
    if (!sha) return '';
    const bytes = new Uint8Array(await sha('SHA-256', encoder.encode(SALT + text)));
    return [...bytes.slice(0, 8)].map((b) => b.toString(16).padStart(2, '0')).join('');
  };
  const kindOf = (/** @type {any} */ value) => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);
  addEventListener('message', guarded((/** @type {MessageEvent} */ e) => {
    const m = e.data;
    if (!m || typeof m !== 'object' || m[MARK] !== true) return;
    const isToFrame = !isTop && e.source === window.parent;
    let embed = 0;
    if (!isToFrame) for (const [el, known] of embeds) {
      const root = known.root || el.shadowRoot;
      if (root && [...root.querySelectorAll('iframe')].some((f) => f.contentWindow === e.source)) embed = known.number;
    }
    const isPublic = m.event === 'public_event' && Array.isArray(m.data);
    const payload = isPublic ? m.data[1] || {} : {}, error = m.error || payload.error;
    const value = 'response' in m ? m.response : undefined;
    const isCommand = m.type === 'command', isSecret = m.type === 'response' && typeof value === 'string' && isToFrame;
    const fact = {
      kind: 'frame-message', page_ms: now(), direction: isToFrame ? 'to_frame' : 'to_host', embed, type: cut(m.type, 40),
      name: cut(isCommand ? m.command : isPublic ? m.data[0] : m.event, 80), nonce: cut(m.nonce, 40),
      detail_name: isPublic ? cut(payload.name, 80) : m.url ? bare(m.url) : '',
      error_name: error ? cut(error.__chatkit_error__ || error.name, 80) : '', error_message: error ? cut(error.message ?? error) : '',
      value_kind: m.type === 'response' && !m.error ? kindOf(value) : '', value_format: isSecret ? format(value) : '', value_digest: '',
      has_current: isCommand && m.command === 'onGetClientSecret' && m.data !== null && m.data !== undefined,
    };
    if (isSecret) digest(value.trim()).then((value_digest) => send({ ...fact, value_digest }), () => send(fact));
    else send(fact);
  }), true);
})();
//# sourceURL=chatkit-probe.js
