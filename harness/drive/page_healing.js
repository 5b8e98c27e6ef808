// Heals what is wrong in a page itself, for an experiment: each part by what stands in FACTS. Runs before the page's own scripts.
(() => {
  const FACTS = __FACTS__, { tag: TAG, loader: LOADER } = __CHATKIT__;
  if (window !== window.top) return;
  const has = (name) => FACTS.names.includes(name);
  const whenReady = (f) => {
    if (document.readyState !== 'loading') f();
    else document.addEventListener('DOMContentLoaded', f, { once: true });
  };

  // tag: the loader is referenced, once, as a classic script.
  if (has('tag')) {
    const place = () => {
      const script = document.createElement('script');
      script.src = LOADER;
      script.async = true;
      (document.head ?? document.documentElement).append(script);
    };
    const wait = new MutationObserver(() => {
      for (const other of document.querySelectorAll('script[src*="chatkit"]')) {
        if (/\/chatkit\.js([?#]|$)/i.test(other.src) && other.src !== LOADER) other.remove();
        else if (other.src === LOADER && other.type === 'module') other.remove();
      }
    });
    wait.observe(document, { childList: true, subtree: true });
    if (document.documentElement) place();
    else new MutationObserver((_, me) => { if (document.documentElement) { me.disconnect(); place(); } }).observe(document, { childList: true });
  }

  const sessionSecret = async () => {
    if (!FACTS.session) return FACTS.secret;
    const { url, method, headers, body } = FACTS.session;
    const response = await fetch(url, { method, headers, ...(body === null ? {} : { body }) });
    const text = await response.text();
    const found = /"[^"]*(?:secret|token)[^"]*"\s*:\s*"((?:[^"\\]|\\.)*)"/i.exec(text);
    if (!response.ok || !found) throw new Error(`the session endpoint answered ${response.status} without a client secret`);
    return JSON.parse(`"${found[1]}"`);
  };
  const goodApi = (api) => {
    if (typeof api?.getClientSecret === 'function') return { getClientSecret: api.getClientSecret };
    if (typeof api?.url === 'string') { // a backend on plain http, of a page on https, is sought at the page's own server
      const url = new URL(api.url, location.href);
      const isForbidden = location.protocol === 'https:' && url.protocol === 'http:';
      return { url: isForbidden ? url.pathname : api.url, domainKey: api.domainKey || FACTS.domainKey };
    }
    return FACTS.custom ? { url: FACTS.custom, domainKey: FACTS.domainKey } : { getClientSecret: sessionSecret };
  };

  // options: whatever setOptions is given, the widget gets the least that works, once.
  if (has('options')) {
    const { define } = customElements;
    customElements.define = function (name, type, ...rest) {
      if (name === TAG && type.prototype.setOptions) {
        const { setOptions } = type.prototype, given = new WeakSet();
        type.prototype.setOptions = function (options) {
          if (given.has(this)) return undefined;
          given.add(this);
          return setOptions.call(this, { api: goodApi(options?.api) });
        };
      }
      return define.call(this, name, type, ...rest);
    };
  }

  // layout: the element, and what stands around it, can be seen.
  if (has('layout')) {
    const show = () => {
      for (const element of document.querySelectorAll(TAG)) {
        for (let node = element; node instanceof HTMLElement; node = node.parentElement ?? node.getRootNode().host) {
          const style = getComputedStyle(node), set = (name, value) => node.style.setProperty(name, value, 'important');
          if (style.display === 'none') set('display', 'block');
          if (style.visibility !== 'visible') set('visibility', 'visible');
          if (Number(style.opacity) === 0) set('opacity', '1');
          if (node !== element) for (const name of ['transform', 'filter', 'clip-path', 'contain', 'perspective']) if (style[name] && style[name] !== 'none') set(name, 'none');
        }
        const wanted = { position: 'fixed', left: '0', top: '0', width: '480px', height: '600px', display: 'block', 'z-index': '2147483647' };
        for (const [name, value] of Object.entries(wanted)) {
          if (element.style.getPropertyValue(name) !== value) element.style.setProperty(name, value, 'important');
        }
      }
    };
    new MutationObserver(show).observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ['class', 'hidden'] });
    setInterval(show, 100);
  }

  // embed: the page's own elements are taken out, and one that is made as it should be stands in their place.
  if (has('embed')) {
    whenReady(async () => {
      const panel = document.createElement('div'), element = document.createElement(TAG);
      const clear = () => { for (const other of document.querySelectorAll(TAG)) if (other !== element) other.remove(); };
      panel.style.cssText = 'position:fixed;left:0;top:0;width:480px;height:600px;z-index:2147483647';
      await customElements.whenDefined(TAG);
      clear();
      new MutationObserver(clear).observe(document, { childList: true, subtree: true });
      const api = FACTS.custom ? { url: FACTS.custom, domainKey: FACTS.domainKey } : { getClientSecret: sessionSecret };
      document.body.append(panel);
      customElements.upgrade(element);
      element.setOptions({ api });
      panel.append(element);
    });
  }
})();
