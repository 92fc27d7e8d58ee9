// Makes the nine panels one picture that moves, forward and back, by buttons and by keys.
// There is no less-than sign and no ampersand here, so that a page with this inside is XML too.
(function () {
    const PAUSE = 3000, CROSSING = 1200, FLIGHT = 500;
    const stepper = document.querySelector('.stepper');
    const panels = [...stepper.querySelectorAll('.step')];
    const calm = matchMedia('(prefers-reduced-motion: reduce)');
    // In the book, the arrow keys belong to the chapters while the focus is elsewhere.
    const inBook = stepper.closest('.content') !== null;
    let now = 0;
    let playing = 0;

    const controls = document.createElement('div');
    controls.className = 'controls';
    controls.setAttribute('role', 'group');
    controls.setAttribute('aria-label', 'Walk through the steps');
    function button(text, action) {
        const made = document.createElement('button');
        made.type = 'button';
        made.textContent = text;
        made.addEventListener('click', action);
        controls.append(made);
        return made;
    }
    function paragraph(text, name) {
        const made = document.createElement('p');
        made.textContent = text;
        made.className = name;
        controls.append(made);
        return made;
    }
    const back = button('Back', () => { stop(); go(now - 1); });
    const forward = button('Forward', () => { stop(); go(now + 1); });
    const play = button('Play', () => playing ? stop() : start());
    paragraph('Also with the keys ←, →, Home and End' + (inBook ? ', while the focus is in here.' : '.'), 'hint');
    const status = paragraph('', 'unseen');
    status.setAttribute('aria-live', 'polite');
    panels[0].before(controls);

    function show(step) {
        const focused = panels[now].contains(document.activeElement);
        panels.forEach((panel, index) => { panel.hidden = index !== step; });
        // Whoever stood on a field goes on from the new panel.
        if (focused) panels[step].focus();
        status.textContent = panels[step].querySelector('.title').textContent;
        back.setAttribute('aria-disabled', step === 0);
        forward.setAttribute('aria-disabled', step === panels.length - 1);
        now = step;
    }

    function go(step) {
        const next = Math.max(0, Math.min(panels.length - 1, step));
        if (next === now) return;
        const from = panels[now];
        show(next);
        if (!calm.matches) move(from, panels[next]);
    }

    // Every byte goes from its place in one panel to its place in the other, the first one first.
    function move(from, to) {
        const before = [...from.querySelectorAll('.bytes rect')].reverse();
        const after = [...to.querySelectorAll('.bytes rect')].reverse();
        const at = (square, axis) => square[axis].baseVal.value;
        after.forEach((square, index) => {
            const old = before[index];
            const start = old
                ? { transform: `translate(${at(old, 'x') - at(square, 'x')}px, ${at(old, 'y') - at(square, 'y')}px)` }
                : { opacity: 0 };
            const end = old ? { transform: 'none' } : { opacity: 1 };
            const delay = CROSSING * (after.length - 1 - index) / after.length;
            square.animate([start, end], { duration: FLIGHT, delay, fill: 'backwards', easing: 'ease-in-out' });
        });
    }

    function start() {
        if (now === panels.length - 1) go(0);
        playing = setInterval(() => {
            go(now + 1);
            if (now === panels.length - 1) stop();
        }, PAUSE);
        play.textContent = 'Pause';
    }

    function stop() {
        clearInterval(playing);
        playing = 0;
        play.textContent = 'Play';
    }

    (inBook ? stepper : document).addEventListener('keydown', event => {
        const held = [event.ctrlKey, event.altKey, event.metaKey, event.shiftKey].includes(true);
        const steps = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: panels.length - 1 };
        if (held || !(event.key in steps)) return;
        event.preventDefault();
        event.stopPropagation();
        stop();
        go(steps[event.key]);
    });

    // A field, its bytes in the picture and in the message, and the line that wrote it light up.
    function light(event) {
        stepper.querySelectorAll('.lit').forEach(lit => lit.classList.remove('lit'));
        const chosen = event.target.closest('[data-fields]');
        if (!chosen) return;
        const fields = chosen.dataset.fields.split(' ');
        for (const part of chosen.closest('.step').querySelectorAll('[data-fields]')) {
            const its = part.dataset.fields.split(' ');
            part.classList.toggle('lit', its.some(field => fields.includes(field)));
        }
    }
    for (const event of ['pointerover', 'focusin']) stepper.addEventListener(event, light);
    stepper.querySelectorAll('.fields li').forEach(field => { field.tabIndex = 0; });
    stepper.querySelectorAll('details').forEach(details => { details.open = true; });
    panels.forEach(panel => { panel.tabIndex = -1; });

    const linked = () => panels.findIndex(panel => '#' + panel.id === location.hash);
    addEventListener('hashchange', () => { if (linked() !== -1) go(linked()); });
    show(Math.max(0, linked()));
})();
