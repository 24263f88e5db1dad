/** One entry of `BIND`: where the broker is to listen. */
export type Bind =
  /** The LAN address and loopback; follows the LAN as it comes, goes and changes. */
  | { readonly kind: 'lan' }
  | { readonly kind: 'loopback' }
  /** Every address of the machine, now and later. */
  | { readonly kind: 'all' }
  /** Every address of one network interface; follows it. */
  | { readonly kind: 'interface'; readonly name: string }
  | { readonly kind: 'address'; readonly address: string }

/**
 * Who may connect without a name and a password: clients on this machine (`local`), everyone, nobody.
 */
export type AllowAnonymous = 'local' | 'everyone' | 'nobody'
