// Draws a visit when somebody opens it, from its block of JSON. Whatever the page under test said is set as text, never as HTML.
(() => {
  'use strict';
  const byId = (id) => document.getElementById(id);
  const data = (id) => JSON.parse(byId(`data-${id}`).textContent);
  const prefix = document.querySelector('meta[name=bundles]').content;

  /** Make an element: `attrs` are attributes, `class` among them; children are texts or elements. */
  const el = (tag, attrs = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attrs)) if (value !== undefined && value !== false) node.setAttribute(name, value === true ? '' : value);
    node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ''));
    return node;
  };
  const at = (node, left, width) => { // positions are set through CSSOM: the policy allows no style attributes
    node.style.left = `${left}%`;
    if (width !== undefined) node.style.width = `${width}%`;
    return node;
  };
  const ms = (value) => (value < 0 ? '–' : `${Math.round(value).toLocaleString('en')} ms`);
  const bytes = (value) => (value < 0 ? '' : value < 1000 ? `${value} B` : `${(value / 1000).toFixed(1)} kB`);
  const fileUrl = (bundle, name) => prefix + [...bundle.split('/'), name].map(encodeURIComponent).join('/');
  const heading = (text) => el('h3', {}, text);
  const short = (url) => {
    const path = url.split('?')[0].split('/');
    return path.pop() || path.pop() || url;
  };

  // --- findings --------------------------------------------------------------------------------------------------
  const ROLES = { cause: 'the cause', also: 'also wrong', consequence: 'a consequence' };
  const evidence = (id, seqs) => seqs.flatMap((seq, n) => [n ? ' ' : '', el('a', { class: 'ev', href: `#${id}-${seq}` }, String(seq))]);
  const told = (name, ...value) => el('div', {}, el('dt', {}, name), el('dd', {}, ...value));

  const findings = (id, visit) => {
    if (!visit.findings.length) return [];
    const order = { cause: 0, also: 1, consequence: 2 };
    const sorted = [...visit.findings].sort((a, b) => order[a.role] - order[b.role]);
    return [heading('What was found'), el('div', { class: 'findings' }, sorted.map((finding) => el('article', { class: `finding role-${finding.role}` },
      el('h4', {}, finding.title),
      el('p', { class: 'tags' }, el('code', {}, finding.rule), el('span', {}, ROLES[finding.role] ?? finding.role), el('span', {}, finding.confidence),
        finding.is_prediction ? el('span', {}, 'a prediction: did not fail yet') : '',
        finding.caused_by ? el('span', {}, 'follows from ', el('code', {}, finding.caused_by)) : ''),
      el('dl', { class: 'told' }, told('Seen', finding.summary),
        ...(finding.role === 'consequence' ? [] : [told('Why', finding.cause), told('To fix', finding.remedy)]),
        told('Evidence', 'line', finding.evidence.length > 1 ? 's ' : ' ', ...evidence(id, finding.evidence))))))];
  };

  // --- the timeline ----------------------------------------------------------------------------------------------
  const step = (span) => {
    for (let size = 1; ; size *= 10) for (const factor of [1, 2, 5]) if (span / (size * factor) <= 8) return size * factor;
  };
  /** Put spans into rows so that none lie on each other; `gap` is in percent. */
  const packed = (spans, gap, most) => {
    const ends = [];
    return spans.map(([from, to]) => {
      let row = ends.findIndex((end) => from >= end + gap);
      if (row < 0) row = ends.length < most ? ends.length : ends.indexOf(Math.min(...ends));
      ends[row] = Math.max(to, ends[row] ?? 0);
      return row;
    });
  };
  const ROLE_CLASS = { page: 'r-page', loader: 'r-loader', session: 'r-session', frame: 'r-frame', backend: 'r-backend', 'domain check': 'r-check' };

  const timeline = (id, visit) => {
    const { view } = visit, span = Math.max(view.to_ms - view.from_ms, 1);
    const x = (value) => Math.min(100, Math.max(0, ((value - view.from_ms) / span) * 100));
    const narrow = matchMedia('(max-width: 46rem)').matches, gap = narrow ? 0.8 : 0.3;
    const cited = new Set([...visit.findings.filter((f) => f.role !== 'consequence').flatMap((f) => f.evidence)]);
    const stage = el('div', { class: 'stage' }), marks = [];
    const row = (name, track) => stage.append(el('div', { class: 'row' }, el('span', { class: 'lane' }, name), track));

    const over = el('div', { class: 'over' }), grid = el('div', { class: 'over' }), axis = el('div', { class: 'track axis' }), tick = step(span);
    for (let value = 0; value <= view.to_ms; value += tick) {
      axis.append(at(el('span', {}, tick >= 1000 ? `${value / 1000} s` : `${value.toLocaleString('en')}${value ? '' : ' ms'}`), x(value)));
      grid.append(at(el('div', { class: 'rule' }), x(value)));
    }
    stage.append(grid);
    row('', axis);

    const reached = view.steps.filter((stone) => stone.seq), rail = el('div', { class: 'track' });
    const width = narrow ? 6 : 2.2, places = reached.map((stone) => [x(stone.ms), x(stone.ms) + width]);
    const order = places.map((_, n) => n).sort((a, b) => places[a][0] - places[b][0]);
    const rows = packed(order.map((n) => places[n]), 0, 6);
    order.forEach((n, place) => {
      const stone = at(el('span', { class: 'stone', title: `${reached[n].name}: ${ms(reached[n].ms)}` }, String(n + 1)), x(reached[n].ms));
      stone.style.top = `${0.25 + rows[place] * 1.25}rem`;
      rail.append(stone);
    });
    rail.style.minHeight = `${0.5 + (Math.max(0, ...rows) + 1) * 1.25}rem`;
    row('milestones', rail);

    const tracks = view.lanes.map((name, lane) => {
      const track = el('div', { class: 'track' }), bars = view.requests.filter((request) => request.lane === lane && request.from_ms <= view.to_ms);
      const ends = bars.map((bar) => (bar.to_ms < 0 ? view.to_ms : Math.min(bar.to_ms, view.to_ms)));
      const isLabelled = (bar) => (bar.role || bar.state === 'bad') && !narrow;
      const lines = packed(bars.map((bar, n) => { // room for the label: behind the bar, before it near the end of the axis
        const from = x(bar.from_ms), to = x(ends[n]), room = isLabelled(bar) ? 15 : 0;
        return to > 78 ? [from - room, to] : [from, to + room];
      }), gap, 8);
      bars.forEach((bar, n) => {
        const left = x(bar.from_ms), wide = x(ends[n]) - left, top = `${0.35 + lines[n] * 0.95}rem`;
        const node = at(el('span', { class: `bar ${ROLE_CLASS[bar.role] ?? ''} s-${bar.state}` }), left, wide);
        node.style.top = top;
        const outcome = bar.said && !bar.status ? bar.said : bar.status || (bar.state === 'open' ? 'not answered' : '');
        const text = `${bar.method} ${bar.url} → ${outcome}, ${bar.to_ms < 0 ? 'never ended' : ms(bar.to_ms - bar.from_ms)}`;
        marks.push({ seq: bar.seq, ms: bar.from_ms, lane, text, node });
        track.append(node);
        if (isLabelled(bar)) {
          const label = el('span', { class: 'bar-text' }, `${short(bar.url)} ${outcome}`);
          label.style.top = top;
          if (left + wide > 78) { label.classList.add('left'); label.style.right = `${100 - left}%`; label.style.maxWidth = `${left}%`; }
          else { label.style.left = `${left + wide}%`; label.style.maxWidth = `${100 - left - wide}%`; }
          track.append(label);
        }
      });
      const deep = bars.length ? Math.max(...lines) + 1 : 0;
      const own = view.lines.filter((line) => line.lane === lane && line.ms >= 0 && (line.weight > 0 || cited.has(line.seq)) && !bars.some((bar) => bar.seq === line.seq));
      const below = deep && own.length ? 1.1 : 0;
      track.style.minHeight = `${Math.max(1.75, 0.55 + deep * 0.95 + below)}rem`;
      for (const line of own) {
        const node = at(el('span', { class: `dot w${line.weight || 2}${cited.has(line.seq) ? ' cited' : ''}` }), x(line.ms));
        if (below) node.style.top = `${0.55 + deep * 0.95 + 0.35}rem`;
        marks.push({ seq: line.seq, ms: line.ms, lane, text: line.text, node });
        track.append(node);
      }
      row(name, track);
      return track;
    });

    const { prefetch } = view;
    if (prefetch.is_known && prefetch.secret_ms >= 0) {
      const from = Math.min(prefetch.secret_ms, prefetch.element_ms), to = Math.max(prefetch.secret_ms, prefetch.element_ms);
      for (const name of ['client secret', 'element']) {
        const track = tracks[view.lanes.indexOf(name)];
        track.prepend(at(el('span', { class: `order${prefetch.lead_ms < 0 ? ' late' : ''}` }), x(from), x(to) - x(from)));
      }
      if (!narrow && x(prefetch.element_ms) < 78) {
        const lead = Math.round(Math.abs(prefetch.lead_ms)).toLocaleString('en');
        const label = at(el('span', { class: 'bar-text of-order' }, `${lead} ms ${prefetch.lead_ms < 0 ? 'before' : 'after'} the secret`), x(Math.max(prefetch.secret_ms, prefetch.element_ms)));
        tracks[view.lanes.indexOf('element')].append(label);
      }
    }
    if (view.decided_ms >= 0) {
      const isBad = document.querySelector(`[data-visit="${id}"]`)?.dataset.bad === '1';
      over.append(at(el('div', { class: `rule verdict${isBad ? ' bad' : ''}` }, el('span', {}, `verdict ${ms(view.decided_ms)}`)), x(view.decided_ms)));
    }
    stage.append(over);

    marks.sort((a, b) => a.ms - b.ms || a.seq - b.seq);
    const hint = () => el('span', { class: 'hint' }, 'Point at an event, or use the arrow keys, to see its description here.');
    const readout = el('output', { class: 'readout', 'aria-live': 'polite' }, hint());
    let current = -1;
    const show = (n) => {
      marks[current]?.node.classList.remove('on');
      current = n;
      const mark = marks[n];
      if (!mark) return;
      mark.node.classList.add('on');
      readout.replaceChildren(`${ms(mark.ms)} · ${view.lanes[mark.lane]} · ${mark.text} `, el('a', { class: 'ev', href: `#${id}-${mark.seq}` }, `line ${mark.seq}`));
    };
    marks.forEach((mark, n) => {
      mark.node.addEventListener('pointerenter', () => show(n));
      mark.node.addEventListener('click', () => { show(n); goTo(`${id}-${mark.seq}`); });
    });
    stage.setAttribute('tabindex', '0');
    stage.setAttribute('role', 'group');
    stage.setAttribute('aria-label', `Timeline of ${Math.round(span)} ms in ${view.lanes.length} lanes. Left and right arrow keys step through ${marks.length} events; all of them are listed below.`);
    stage.addEventListener('keydown', (event) => {
      const to = { ArrowRight: current + 1, ArrowLeft: current - 1, Home: 0, End: marks.length - 1 }[event.key];
      if (to === undefined || !marks.length) return;
      event.preventDefault();
      show(Math.min(marks.length - 1, Math.max(0, to)));
    });
    shown.set(id, (seq) => show(marks.findIndex((mark) => mark.seq === seq)));

    const stones = el('ol', { class: 'stones' }, view.steps.map((stone, n) => el('li', { class: stone.seq ? '' : 'missing' },
      el('span', { class: 'n', 'aria-hidden': 'true' }, stone.seq ? String(n + 1) : '✕'),
      stone.seq ? el('a', { href: `#${id}-${stone.seq}` }, stone.name) : `${stone.name}: not reached`,
      stone.seq ? el('span', { class: 'ms' }, ms(stone.ms)) : '')));
    return [heading('What happened, when'),
      el('figure', { class: 'lanes' }, stage, readout, el('figcaption', {}, prefetchText(prefetch))),
      el('h4', { class: 'sr' }, 'Milestones'), stones];
  };

  const prefetchText = (prefetch) => {
    const lead = Math.round(Math.abs(prefetch.lead_ms)).toLocaleString('en');
    if (!prefetch.is_known) return `Client secret: ${prefetch.outcome}.`;
    const before = prefetch.lead_ms >= 0;
    return el('span', {}, el('strong', {}, `Client secret: ${prefetch.outcome}. `),
      before ? `It was received ${lead} ms before the element was connected` : `It was received ${lead} ms after the element was connected`,
      ' (shaded, by the page’s own clock).');
  };

  // --- tables ----------------------------------------------------------------------------------------------------
  const table = (label, heads, rows, kind = '') => el('div', { class: `scroll ${kind}`, tabindex: '0', role: 'group', 'aria-label': label },
    el('table', {}, el('thead', {}, el('tr', {}, heads.map(([name, css]) => el('th', { scope: 'col', class: css }, name)))), el('tbody', {}, rows)));
  const more = (title, isOpen, ...children) => {
    const node = el('details', { class: 'more', open: isOpen }, el('summary', {}, title));
    let isDrawn = false;
    const draw = () => { if (!isDrawn && node.open) { isDrawn = true; node.append(...children.map((child) => child())); } };
    node.drawNow = () => { node.open = true; draw(); };
    node.addEventListener('toggle', draw);
    draw();
    return node;
  };

  const linesList = (id, view) => more(`All lines (${view.lines.length})`, false,
    () => table('The lines of the timeline', [['line', 'num'], ['ms', 'num'], ['lane'], ['what happened']],
      view.lines.map((line) => el('tr', { id: `${id}-${line.seq}`, tabindex: '-1', class: line.weight === 3 ? 'bad' : '' },
        el('td', { class: 'num' }, String(line.seq)), el('td', { class: 'num' }, line.ms < 0 ? 'later' : line.ms.toFixed(1)),
        el('td', { class: 'lane-name' }, view.lanes[line.lane]), el('td', {}, line.text)))));

  const network = (visit, isOpen) => {
    const { view } = visit, rows = view.requests;
    if (!rows.length) return [];
    const end = Math.max(view.to_ms, ...rows.map((row) => row.to_ms)), span = Math.max(end, 1);
    return [heading('Network'), more(`${rows.length} requests`, isOpen, () => table('Requests', [['method and address'], ['status'], ['type'], ['size', 'num'], ['started', 'num'], ['took', 'num'], ['when']],
      rows.map((row) => {
        const bar = at(el('span', { class: `bar ${ROLE_CLASS[row.role] ?? ''} s-${row.state}` }), (row.from_ms / span) * 100, (((row.to_ms < 0 ? end : row.to_ms) - row.from_ms) / span) * 100);
        return el('tr', { class: row.state === 'bad' ? 'bad' : '' },
          el('td', { class: 'wide-cell' }, `${row.method} `, el('span', { class: 'mono' }, row.url), row.said ? el('span', { class: 'said' }, row.said) : ''),
          el('td', { class: 'status' }, row.status ? String(row.status) : row.state === 'open' ? 'open' : row.state === 'aborted' ? 'aborted' : 'failed'),
          el('td', {}, row.role || row.type), el('td', { class: 'num' }, bytes(row.size_bytes)),
          el('td', { class: 'num' }, ms(row.from_ms)), el('td', { class: 'num' }, row.to_ms < 0 ? 'open' : ms(row.to_ms - row.from_ms)),
          el('td', { 'aria-hidden': 'true' }, el('div', { class: 'fall' }, bar)));
      })))];
  };

  const consoleOf = (visit, isOpen) => {
    const lines = visit.view.console;
    if (!lines.length) return [heading('Console'), el('p', { class: 'none' }, 'No console messages.')];
    const levels = [...new Set(lines.map((line) => line.level))], off = new Set();
    const errors = lines.filter((line) => ['error', 'uncaught'].includes(line.level) && !line.is_allowed).length;
    const body = () => {
      const rows = lines.map((line) => el('tr', { 'data-level': line.level }, el('td', { class: 'num' }, line.ms.toFixed(0)),
        el('td', {}, el('span', { class: `level level-${['error', 'uncaught', 'warning'].includes(line.level) ? line.level : 'other'}` }, line.level), line.is_allowed ? ' (allowed)' : ''),
        el('td', {}, el('pre', {}, line.text), line.place ? el('span', { class: 'place' }, line.place) : '')));
      const find = el('input', { type: 'search', placeholder: 'text', autocomplete: 'off' }), status = el('span', { role: 'status', class: 'found' });
      const apply = () => {
        const word = find.value.toLowerCase();
        let number = 0;
        rows.forEach((row, n) => { row.hidden = off.has(lines[n].level) || !lines[n].text.toLowerCase().includes(word); number += !row.hidden; });
        status.textContent = number === rows.length ? '' : `${number} of ${rows.length}`;
      };
      find.addEventListener('input', apply);
      const boxes = levels.map((level) => {
        const box = el('input', { type: 'checkbox', checked: true });
        box.addEventListener('change', () => { off[box.checked ? 'delete' : 'add'](level); apply(); });
        return el('label', {}, box, `${level} (${lines.filter((line) => line.level === level).length})`);
      });
      return el('div', {}, el('div', { class: 'cfilter', role: 'group', 'aria-label': 'Filter the console' }, el('label', { class: 'search' }, el('span', { class: 'label' }, 'Find'), find), ...boxes, status),
        table('Console', [['ms', 'num'], ['level'], ['message']], rows, 'console'));
    };
    return [heading('Console'), more(`${lines.length} messages, ${errors} of them errors`, isOpen, body)];
  };

  const comparison = (visit) => {
    const { green } = visit;
    if (!green) return [];
    return [heading('Comparison with the last good visit'), table('Comparison with the last good visit', [['what'], ['this visit'], ['the good one']],
      green.rows.map((row) => el('tr', { class: row.is_different ? 'differs' : '' }, el('th', { scope: 'row' }, row.name), el('td', {}, row.here, row.is_different ? el('span', { class: 'label' }, ' ≠') : ''), el('td', {}, row.green)))),
    ...(visit.green_picture ? [el('div', { class: 'pictures beside' }, [visit.pictures[0], visit.green_picture].filter((picture) => picture?.id).map((picture) => shot(picture)))] : []),
    el('p', { class: 'left-out' }, `The good one: ${green.bundle}, ${green.when}.`, green.more ? ` ${green.more} more requests differ.` : '')];
  };

  const shot = (picture, ...link) => {
    const src = picture.id ? data(picture.id) : '', told = `Screenshot of ${picture.label} at the verdict`;
    return el('figure', {}, src.startsWith('data:image/png;base64,') ? el('img', { src, alt: told, loading: 'lazy' }) : '', el('figcaption', {}, told, ...link));
  };
  const pictures = (visit) => {
    if (!visit.pictures.length) return [];
    return [heading('Screenshots'), el('div', { class: 'pictures' },
      visit.pictures.map((picture) => shot(picture, ': ', el('a', { href: fileUrl(visit.bundle, picture.file) }, picture.file))))];
  };

  const copy = (text) => {
    const code = el('code', {}, text), button = el('button', { type: 'button' }, 'Copy');
    button.addEventListener('click', async () => {
      try { await navigator.clipboard.writeText(text); button.textContent = 'Copied'; } catch {
        getSelection().selectAllChildren(code);
        button.textContent = 'Selected';
      }
      setTimeout(() => { button.textContent = 'Copy'; }, 1500);
    });
    return el('p', { class: 'copy' }, code, button);
  };

  // --- a visit ---------------------------------------------------------------------------------------------------
  const shown = new Map();
  const drawVisit = (id) => {
    const place = document.querySelector(`[data-visit="${id}"]`);
    if (!place || place.childNodes.length) return;
    const visit = data(id), isBad = visit.findings.some((finding) => finding.role === 'cause');
    place.dataset.bad = isBad ? '1' : '0';
    const parts = [...findings(id, visit)];
    if (visit.view) parts.push(...timeline(id, visit), linesList(id, visit.view));
    parts.push(...visit.missing.map((text) => el('p', { class: 'left-out' }, text)));
    if (visit.trouble) parts.push(el('p', { class: 'left-out' }, visit.trouble));
    parts.push(...comparison(visit), ...pictures(visit));
    if (visit.view) {
      parts.push(...consoleOf(visit, isBad), ...network(visit, isBad));
      parts.push(...visit.view.left_out.map((text) => el('p', { class: 'left-out' }, text)));
    }
    parts.push(heading('Details'), el('dl', { class: 'facts' }, visit.about.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value)))));
    if (visit.commands.length) parts.push(heading('Reproduce it'), ...visit.commands.map(copy));
    if (visit.files.length) parts.push(heading('Files'), el('ul', { class: 'files' }, visit.files.map((name) => el('li', {}, el('a', { href: fileUrl(visit.bundle, name) }, name)))));
    place.append(...parts);
  };
  const open = (test) => {
    test.open = true;
    for (const id of (test.dataset.visits ?? '').split(' ').filter(Boolean)) drawVisit(id);
  };
  document.addEventListener('toggle', (event) => { if (event.target.classList?.contains('test') && event.target.open) open(event.target); }, true);

  /** Open what an id stands in, and go there: "v3", or "v3-58" for line 58 of that visit. */
  const goTo = (id) => {
    const [, visit, seq] = /^(v\d+)(?:-(\d+))?$/.exec(id) ?? [];
    const test = visit ? byId(visit)?.closest('.test') : byId(id)?.closest('.test');
    if (!test) return false;
    test.hidden = false;
    open(test);
    if (!seq) { (byId(id) ?? test).scrollIntoView({ behavior: 'instant' }); return true; }
    byId(visit).querySelector('.lanes ~ .more')?.drawNow();
    const line = byId(id);
    for (const other of document.querySelectorAll('tr.on')) other.classList.remove('on');
    shown.get(visit)?.(Number(seq));
    if (!line) return true;
    line.classList.add('on');
    byId(visit).querySelector('.lanes').scrollIntoView({ behavior: 'instant' });
    line.closest('.scroll').scrollTop = line.offsetTop - 60;
    line.focus({ preventScroll: true });
    return true;
  };
  addEventListener('hashchange', () => goTo(location.hash.slice(1)));
  document.addEventListener('click', (event) => { // the second click on the same link changes no hash
    const link = event.target.closest?.('a[href^="#"]');
    if (link && link.getAttribute('href') === location.hash) goTo(location.hash.slice(1));
  });

  // --- the list of tests -----------------------------------------------------------------------------------------
  const form = document.querySelector('.filter'), tests = [...document.querySelectorAll('.test')];
  if (form && tests.length > 1) {
    form.hidden = false;
    const apply = () => {
      const word = byId('find').value.toLowerCase(), show = form.elements.show.value;
      let number = 0;
      for (const test of tests) {
        const fits = show === 'all' || (show === 'good') === (test.dataset.good === '1');
        test.hidden = !fits || !test.firstElementChild.textContent.toLowerCase().includes(word);
        number += !test.hidden;
      }
      form.querySelector('.found').textContent = number === tests.length ? '' : `${number} of ${tests.length}`;
    };
    form.addEventListener('input', apply);
    form.addEventListener('submit', (event) => event.preventDefault());
  }
  for (const place of document.querySelectorAll('#environment .copy')) place.replaceWith(copy(place.textContent));
  addEventListener('beforeprint', () => { for (const test of tests) if (test.dataset.good === '0' || test.open) open(test); });
  const bad = tests.filter((test) => test.dataset.good === '0');
  if (!goTo(location.hash.slice(1)) && (tests.length === 1 || bad.length === 1)) open(bad[0] ?? tests[0]);
})();
