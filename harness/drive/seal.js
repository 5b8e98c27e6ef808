// @ts-check
// Keeps WebRTC of a hermetic visit or a replay on this machine: no proxy sees its packets, on no engine. Reports which servers
// the page named. WebTransport fails by itself behind a proxy; it is only reported.
(() => {
  const scope = /** @type {any} */ (window), { stringify } = JSON, { construct } = Reflect;
  const report = (/** @type {string} */ method, /** @type {any} */ url) => {
    const facts = [{ kind: 'request-blocked', method, url: String(url).slice(0, 2000) }];
    try { scope.__chatkitProbe(stringify({ v: 1, facts })).catch(() => {}); } catch { /* never the page's problem */ }
  };
  const sealed = (/** @type {any} */ given) => {
    for (const server of given?.iceServers ?? []) for (const url of [server.urls ?? server.url ?? []].flat()) report('WebRTC', url);
    return { ...given, iceServers: [], iceTransportPolicy: 'relay' };  // without a relay nothing is sent, mDNS neither
  };
  const Peer = scope.RTCPeerConnection;
  if (Peer) {
    const wrapped = new Proxy(Peer, { construct: (target, [given, ...more], as) => construct(target, [sealed(given), ...more], as) });
    const { setConfiguration } = Peer.prototype;
    Peer.prototype.setConfiguration = { setConfiguration(/** @type {any} */ given) { return setConfiguration.call(this, sealed(given)); } }.setConfiguration;
    Peer.prototype.constructor = wrapped;
    for (const name of ['RTCPeerConnection', 'webkitRTCPeerConnection']) if (name in scope) scope[name] = wrapped;
  }
  const Transport = scope.WebTransport;
  if (Transport) {
    scope.WebTransport = new Proxy(Transport, { construct(target, given, as) { report('WebTransport', given[0]); return construct(target, given, as); } });
  }
})();
//# sourceURL=chatkit-seal.js
